// The timeline: the latest events, each with every decision, attempt and outcome.

import { clock, duration, full, words } from "./format.js";
import { h, priorityBadge, reconcile, setText } from "./dom.js";

const EVIDENCE = {
  TRANSPORT: "The provider accepted it",
  CLIENT: "The person's page confirmed it",
  HUMAN: "The person acknowledged it",
};

export class Timeline extends EventTarget {
  #api;
  #list = document.getElementById("timeline-list");
  #events = [];

  /** "change" is dispatched with the events after each refresh. */
  constructor(api) {
    super();
    this.#api = api;
    setInterval(() => this.#tick(), 250);
  }

  async refresh() {
    const { events } = await this.#api.get("/demo/timeline");
    this.#events = events;
    reconcile(this.#list, events, { key: (event) => `${event.source}/${event.event_id}`, render: renderCard });
    document.getElementById("timeline-empty").hidden = events.length > 0;
    this.#tick();
    this.dispatchEvent(new CustomEvent("change", { detail: events }));
  }

  /** Update the clocks of unfinished cards without rendering the cards again. */
  #tick() {
    const now = Date.now();
    for (const running of this.#list.querySelectorAll(".running")) {
      const ms = Math.max(0, now - Number(running.dataset.since));
      setText(running, ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : duration(ms));
    }
  }
}

export function isFinal(event) {
  return event.final_at !== null && event.final_at !== undefined;
}

function renderCard(event, previous) {
  const card = h(
    "li",
    {
      class: previous ? "card" : "card card-new",
      "data-testid": "timeline-card",
      "data-event-id": event.event_id,
      "data-state": event.state,
      "data-outcome": outcome(event),
    },
    h("div", { class: "card-head" }, h("h3", { class: "card-title" }, event.title || words(event.event_type)), stateBadge(event)),
    renderMeta(event),
    renderSteps(event, previous),
  );
  card.stepCount = event.steps.length;
  return card;
}

/** The four styles of a card. Its text has the exact state. */
function outcome(event) {
  if (!isFinal(event)) return "waiting";
  const state = event.state.toLowerCase();
  if (state === "delivered") return "ok";
  return state === "failed" ? "error" : "ended";
}

function stateBadge(event) {
  const badge = h("p", { class: "state" });
  if (!isFinal(event)) {
    badge.append("waiting ", h("span", { class: "running num", "data-since": event.accepted_at }));
    return badge;
  }
  const via = event.delivered_via ? ` via ${event.delivered_via}` : "";
  badge.append(h("strong", {}, event.state.toUpperCase() + via));
  const evidence = event.evidence?.toUpperCase();
  if (evidence) badge.append(h("span", { class: "state-more", title: EVIDENCE[evidence] }, ` - ${evidence}`));
  else if (event.code) badge.append(h("span", { class: "state-more" }, ` - ${event.code}`));
  return badge;
}

function renderMeta(event) {
  const took = isFinal(event) ? `in ${duration(event.final_at - event.accepted_at)}` : null;
  const facts = [event.source, event.seq ? `seq ${event.seq}` : null, clock(event.accepted_at), took];
  return h(
    "p",
    { class: "card-meta" },
    priorityBadge(event.priority),
    h("span", { class: "type" }, event.event_type),
    ...facts.filter(Boolean).map((fact) => h("span", { class: "num", title: fact === facts[2] ? full(event.accepted_at) : null }, fact)),
  );
}

function renderSteps(event, previous) {
  const known = previous?.stepCount ?? 0;
  const steps = event.steps.map((step, index) =>
    h(
      "li",
      {
        class: previous && index >= known ? "step step-new" : "step",
        "data-testid": "timeline-step",
        "data-kind": step.kind,
        "data-level": step.level,
      },
      h("span", { class: "step-at num" }, `+${duration(step.at - event.accepted_at)}`),
      h("span", { class: "step-text" }, channelTag(step), step.text),
    ),
  );
  return h("ol", { class: "steps", "aria-label": "Steps" }, ...steps);
}

/** The channel's name, unless the text contains it already. */
function channelTag(step) {
  if (!step.channel || step.text.includes(step.channel)) return null;
  return h("span", { class: "channel" }, step.channel);
}
