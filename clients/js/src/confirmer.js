// Decides which handled events are confirmed, and when: a page that nobody can see has not shown a CRITICAL one.

import { keyOf } from "./naming.js";

const HELD = 5_000;

export class Confirmer {
  #may;
  #mayHidden;
  #page;
  #send;
  #held = new Map(); // handled while the page was hidden

  /** `may` and `mayHidden` are booleans, or functions of the event; `send(events)` sends confirmations. */
  constructor({ may, mayHidden, page, send }) {
    this.#may = asFunction(may);
    this.#mayHidden = asFunction(mayHidden);
    this.#page = page;
    this.#send = send;
  }

  /** The page has handled this event. */
  handled(event) {
    if (!this.#may(event)) return;
    if (this.#page.isHidden?.() && !this.#mayHidden(event)) this.#hold(event);
    else this.#send([event]);
  }

  /** The person may be back: confirm what they can see now. */
  wake() {
    if (this.#page.isHidden?.()) return;
    const held = [...this.#held.values()];
    this.#held.clear();
    if (held.length) this.#send(held);
  }

  #hold(event) {
    this.#held.set(keyOf(event), event);
    if (this.#held.size > HELD) this.#held.delete(this.#held.keys().next().value);
  }
}

function asFunction(choice) {
  return typeof choice === "function" ? choice : () => choice;
}
