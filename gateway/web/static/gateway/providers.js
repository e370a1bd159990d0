// The log of the provider simulator, and the mode of the simulated Telegram.

import { clock, full } from "./format.js";
import { h, icon, reconcile } from "./dom.js";

const CHANNELS = { telegram: ["telegram", "Telegram"], smtp: ["mail", "E-mail"], sink: ["hook", "Webhook"] };
const OUTCOMES = {
  accepted: "accepted",
  refused: "refused",
  dropped_answer: "answer lost",
  hung: "no answer",
};

export class Providers extends EventTarget {
  #api;
  #list = document.getElementById("provider-list");
  #mode = document.getElementById("telegram-mode");

  /** "problem" is dispatched with an error when setting the mode fails. */
  constructor(api) {
    super();
    this.#api = api;
    this.#mode.addEventListener("change", () => this.#setMode(this.#mode.value));
    this.#showMode(() => api.get("/demo/provider/telegram"));
  }

  async refresh() {
    const { entries } = await this.#api.get("/demo/provider");
    reconcile(this.#list, entries, { key: (entry) => entry.n, render: renderEntry });
    document.getElementById("provider-empty").hidden = entries.length > 0;
  }

  async #setMode(mode) {
    const ok = await this.#showMode(() => this.#api.put("/demo/provider/telegram", { mode }));
    // Show the simulator's actual mode again.
    if (!ok) await this.#showMode(() => this.#api.get("/demo/provider/telegram"));
  }

  async #showMode(ask) {
    try {
      this.#mode.value = (await ask()).mode;
      this.#mode.dataset.mode = this.#mode.value;
      return true;
    } catch (error) {
      this.dispatchEvent(new CustomEvent("problem", { detail: error }));
      return false;
    }
  }
}

function renderEntry(entry, previous) {
  const [iconName, name] = CHANNELS[entry.channel] ?? ["hook", entry.channel];
  return h(
    "li",
    {
      class: previous ? "entry" : "entry entry-new",
      "data-testid": "provider-entry",
      "data-channel": entry.channel,
      "data-outcome": entry.outcome,
    },
    h("span", { class: "entry-icon", title: name }, icon(iconName)),
    h("span", { class: "entry-to", title: entry.to }, h("span", { class: "visually-hidden" }, `${name} to `), entry.to ?? ""),
    h("span", { class: "entry-outcome" }, outcomeText(entry)),
    h("time", { class: "entry-at num", title: full(entry.at_ms) }, clock(entry.at_ms)),
    h("p", { class: "entry-text" }, summary(entry)),
  );
}

function outcomeText(entry) {
  const words = OUTCOMES[entry.outcome] ?? entry.outcome;
  const accepted = entry.outcome === "accepted";
  return accepted || !entry.status ? words : `${words} ${entry.status}`;
}

/** A summary: the subject of a mail or the text of a chat message, and the reason of a refusal. */
function summary(entry) {
  const text = entry.subject || plain(entry) || entry.kind || "";
  const why = entry.outcome === "refused" ? entry.error || faultName(entry.fault) : "";
  return why ? h("span", {}, h("span", { class: "entry-why" }, why), " ", text) : text;
}

/** Plain text of a Telegram message, which is HTML. A parsed document that is never shown runs no scripts. */
function plain(entry) {
  if (entry.channel !== "telegram" || !entry.text) return entry.text ?? "";
  return new DOMParser().parseFromString(entry.text, "text/html").body.textContent;
}

function faultName(fault) {
  if (!fault || typeof fault === "string") return fault ?? "";
  return Object.entries(fault).map(([name, value]) => `${name} ${value}`).join(", ");
}
