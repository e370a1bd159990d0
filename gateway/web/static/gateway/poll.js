// Repeats a request while the page is visible: every second, and at once (debounced) when something happened.

const EVERY_MS = 1_000;
const DEBOUNCE_MS = 100;

export class Poll extends EventTarget {
  #take;
  #timer = 0;
  #busy = false;
  #again = false;

  /** `take` is an async function. "health" is dispatched with whether it worked. */
  constructor(take) {
    super();
    this.#take = take;
    document.addEventListener("visibilitychange", () => this.soon());
  }

  /** Take soon. Several calls within the debounce time are one. */
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
      await this.#take();
    } catch (error) {
      healthy = false;
      console.warn("Polling failed:", error.message);
    }
    this.#busy = false;
    this.dispatchEvent(new CustomEvent("health", { detail: healthy }));
    this.#plan(this.#again ? DEBOUNCE_MS : EVERY_MS);
  }
}
