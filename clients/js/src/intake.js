// Passes each event to the page once, and confirms it when the page has handled it.

import { keyOf } from "./naming.js";
import { Recent } from "./recent.js";

const REMEMBERED = 5_000;
const GAP_PATIENCE_MS = 1_000;

export class Intake {
  #emitter;
  #position;
  #clock;
  #confirm;
  #resync;
  #taken = new Recent(REMEMBERED);
  #underWay = new Set();
  #snapshotCame = false;
  #gapTimer = null;

  /** `confirm(event)` is called for each handled event; `resync()` is called when events are missing. */
  constructor({ emitter, position, clock, confirm, resync }) {
    this.#emitter = emitter;
    this.#position = position;
    this.#clock = clock;
    this.#confirm = confirm;
    this.#resync = resync;
  }

  ready(frame, asked) {
    this.#snapshotCame = false;
    this.#stopWaiting();
    this.#position.ready(frame, asked);
    void this.#emitter.emit("ready", frame);
  }

  async event(frame) {
    const { seq } = frame;
    const id = keyOf(frame);
    const stored = seq !== undefined;
    if (!this.#snapshotCame) this.#position.reset(); // this server sends no snapshot: it would have come first
    if (stored && !frame.repeat) this.#arrived(seq); // a repeat is outside the order
    if (this.#underWay.has(id)) return; // will be confirmed when handled
    if (!this.#taken.has(id)) {
      this.#underWay.add(id);
      const taken = await this.#emitter.emit("event", frame);
      this.#underWay.delete(id);
      if (!taken) return; // no confirmation: the server uses the next channel
      this.#taken.add(id);
    }
    if (!stored) return;
    this.#position.took(seq);
    this.#confirm(frame);
  }

  async snapshot(frame) {
    this.#snapshotCame = true;
    if (await this.#emitter.emit("snapshot", frame)) this.#position.reset();
  }

  close() {
    this.#stopWaiting();
  }

  /** Two processes may push in either order, so wait a moment for a gap to close by itself. */
  #arrived(seq) {
    this.#position.arrived(seq);
    if (!this.#position.hasGap) return this.#stopWaiting();
    this.#gapTimer ??= this.#clock.setTimeout(() => {
      this.#gapTimer = null;
      this.#resync();
    }, GAP_PATIENCE_MS);
  }

  #stopWaiting() {
    this.#clock.clearTimeout(this.#gapTimer);
    this.#gapTimer = null;
  }
}
