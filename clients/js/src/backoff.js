// When to reconnect after a close. Exponential with full jitter, so that clients do not return all at once.

const FIRST_MS = 1_000;
const MAX_MS = 30_000;
const STABLE_AFTER_MS = 5_000;

const TOO_MANY_SOCKETS = 4009;
const FLOODING = 4029;
// Reconnecting soon would make these worse, so neither the network nor the person shortens the wait.
const LONG_MS = { [TOO_MANY_SOCKETS]: 60_000, [FLOODING]: 30_000 };

export class Backoff {
  #clock;
  #random;
  #failures = 0;
  #readyAt = null;

  constructor({ clock, random }) {
    this.#clock = clock;
    this.#random = random;
  }

  ready() {
    this.#readyAt = this.#clock.now();
  }

  /**
   * Return {ms, patient} for a connection that was closed with `code`. `plannedMs` is the server's request.
   * A patient wait must not be shortened.
   */
  afterClose(code, plannedMs = null) {
    // A socket that is closed right after its start must not reset the waits to short ones.
    const stable = this.#readyAt !== null && this.#clock.now() - this.#readyAt >= STABLE_AFTER_MS;
    this.#readyAt = null;
    if (stable) this.#failures = 0;
    if (plannedMs !== null) return { ms: plannedMs + this.#random() * FIRST_MS, patient: true };
    if (code in LONG_MS) return { ms: LONG_MS[code] * (1 + this.#random()), patient: true };
    const ceiling = Math.min(MAX_MS, FIRST_MS * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    return { ms: this.#random() * ceiling, patient: false };
  }
}
