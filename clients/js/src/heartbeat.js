// Detects a dead connection that TCP has not noticed: a ping without an answer in time.

const PING_EVERY_MS = 30_000;
const ANSWER_WITHIN_MS = 10_000;

export class Heartbeat {
  #clock;
  #ping;
  #dead;
  #next = null;
  #deadline = null;

  /** `ping` sends a ping; `dead` is called once when nothing was received. */
  constructor({ clock, ping, dead }) {
    this.#clock = clock;
    this.#ping = ping;
    this.#dead = dead;
  }

  start() {
    this.stop();
    this.#schedule();
  }

  /** Something was received. */
  alive() {
    this.#clock.clearTimeout(this.#deadline);
    this.#deadline = null;
  }

  /** Ping now. */
  probe() {
    this.#ping();
    this.#deadline ??= this.#clock.setTimeout(this.#dead, ANSWER_WITHIN_MS);
  }

  stop() {
    this.alive();
    this.#clock.clearTimeout(this.#next);
  }

  #schedule() {
    this.#next = this.#clock.setTimeout(() => {
      this.#schedule();
      this.probe();
    }, PING_EVERY_MS);
  }
}
