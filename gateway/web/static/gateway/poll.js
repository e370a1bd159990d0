// Repeats a request while the page is visible: every second, and soon (debounced) after a change.

const EVERY_MS = 1_000;
const DEBOUNCE_MS = 100;

export class Poll extends EventTarget {
  #request;
  #timer = 0;
  #busy = false;
  #again = false;

  /** `request` is an async function. "health" is dispatched with whether it succeeded. */
  constructor(request) {
    super();
    this.#request = request;
    document.addEventListener("visibilitychange", () => this.soon());
  }

  /** Send the request soon. Several calls within the debounce time cause one request. */
  soon() {
    if (this.#busy) this.#again = true;
    else this.#plan(DEBOUNCE_MS);
  }

  #plan(afterMs) {
    clearTimeout(this.#timer);
    if (!document.hidden) this.#timer = setTimeout(() => this.#run(), afterMs);
  }

  async #run() {
    this.#busy = true;
    this.#again = false;
    let healthy = true;
    try {
      await this.#request();
    } catch (error) {
      healthy = false;
      console.warn("Polling failed:", error.message);
    }
    this.#busy = false;
    this.dispatchEvent(new CustomEvent("health", { detail: healthy }));
    this.#plan(this.#again ? DEBOUNCE_MS : EVERY_MS);
  }
}
