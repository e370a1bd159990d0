// Which tab leads: the one that holds a Web Lock, as long as it answers. The browser passes on the lock of a tab that
// closes or crashes, but a tab whose script has halted keeps it. So the others listen for a sign of life, ask for one
// after a silence, and at last one of them steals the lock.

const TICK_MS = 900;
const ASK_AFTER = 2; // silent ticks
const DEAD_AFTER = 4;

export class Election {
  #options;
  #waiting = null; // the AbortController of the place in the queue for the lock
  #release = () => {};
  #silent = 0; // ticks since the last sign of life of a leader
  #timer = null;
  #left = false;

  /**
   * Options: name, locks, clock, random; ask() asks the leader to answer, onLead() and onDeposed() are called when
   * this tab becomes the leader, and when another tab has taken its place.
   */
  constructor(options) {
    this.#options = options;
  }

  join() {
    this.#waiting = new AbortController();
    this.#request({ signal: this.#waiting.signal });
    this.#watch();
  }

  /** A leader has said something. */
  heard() {
    this.#silent = 0;
  }

  leave() {
    this.#left = true;
    this.#waiting.abort();
    this.#options.clock.clearTimeout(this.#timer);
    this.#release();
  }

  #request(how) {
    const { name, locks } = this.#options;
    let leading = false;
    const lead = () => {
      if (this.#left || how.signal?.aborted) return undefined; // gives the lock back
      leading = true;
      return new Promise((release) => this.#lead(release));
    };
    // Rejected: this tab has left the queue, or another one has stolen the lock.
    locks.request(name, how, lead).catch(() => leading && this.#deposed());
  }

  #lead(release) {
    this.#release = release;
    this.#options.clock.clearTimeout(this.#timer);
    this.#options.onLead();
  }

  #deposed() {
    if (this.#left) return;
    this.#options.onDeposed();
    this.join();
  }

  #watch() {
    const { clock, random } = this.#options;
    this.#silent = 0;
    const tick = () => {
      this.#silent += 1; // by one also after a halt of this tab itself: missed messages come between two timers
      if (this.#silent >= DEAD_AFTER) return this.#steal();
      if (this.#silent >= ASK_AFTER) this.#options.ask();
      this.#timer = clock.setTimeout(tick, TICK_MS);
    };
    // At different times in different tabs, so that one asks, or leads, before the others do.
    this.#timer = clock.setTimeout(tick, TICK_MS * random());
  }

  #steal() {
    this.#waiting.abort();
    this.#request({ steal: true });
  }
}
