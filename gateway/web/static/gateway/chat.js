// The demo person's side of the simulated Telegram chat: writing, pressing buttons, blocking the bot.

import { h, reconcile } from "./dom.js";

const SHOWN = 4;

export class Chat extends EventTarget {
  #api;
  #list = document.getElementById("chat-list");
  #text = document.getElementById("chat-text");
  #blocked = document.getElementById("chat-blocked");

  /** "problem" is dispatched with an error when the person could not act. */
  constructor(api) {
    super();
    this.#api = api;
    document.getElementById("chat-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.#text.value.trim();
      if (text) this.#act("write", { text }).then((ok) => ok && (this.#text.value = ""));
    });
    this.#blocked.addEventListener("change", () => this.#act(this.#blocked.checked ? "block" : "unblock"));
    this.#list.addEventListener("click", (event) => {
      const { button, messageId } = event.target.dataset;
      if (button) this.#act("press", { button, message_id: Number(messageId) });
    });
  }

  async refresh() {
    this.#show(await this.#api.get("/demo/chat"));
  }

  async #act(act, given = {}) {
    try {
      this.#show(await this.#api.post("/demo/chat", { act, ...given }));
      return true;
    } catch (error) {
      this.dispatchEvent(new CustomEvent("problem", { detail: error }));
      return false;
    }
  }

  #show({ messages, blocked }) {
    this.#blocked.checked = blocked;
    const latest = messages.slice(-SHOWN);
    reconcile(this.#list, latest, { key: (message) => message.message_id, render: renderMessage });
  }
}

function renderMessage(message) {
  const buttons = message.buttons.map((text) =>
    h("button", { type: "button", class: "button", "data-button": text, "data-message-id": message.message_id }, text),
  );
  return h(
    "li",
    { class: "chat-message", "data-from": message.from, "data-testid": "chat-message" },
    h("p", { class: "chat-text" }, message.text),
    buttons.length ? h("div", { class: "chat-buttons" }, ...buttons) : null,
  );
}
