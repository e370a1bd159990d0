// Frames to the server, kept until a pong proves that it has read them: it reads the frames of a socket in
// order. Unproven frames of a broken connection are written again on the next one; all of our frames may be
// sent twice without harm.

const KEPT = 5_000;
const IDS_PER_FRAME = 500;
const PROOF_AFTER = 20; // frames; a ping after so many keeps the queue short
// The server closes sockets that send more than 20 frames/s (burst 40); pings are extra.
const BURST = 25;
const PER_S = 15;

export class Outbox {
  #clock;
  #write;
  #wantProof;
  #kept = [];
  #written = 0; // how many of #kept are written on this socket
  #marks = []; // #written at each ping that has no pong yet
  #unmarked = 0; // frames since the last ping
  #open = false;
  #tick = false;
  #later = null;
  #tokens = BURST;
  #filledAt;

  /** `write` puts a frame on the socket; `wantProof` is called when it is time for a ping. */
  constructor({ clock, write, wantProof }) {
    this.#clock = clock;
    this.#write = write;
    this.#wantProof = wantProof;
    this.#filledAt = clock.now();
  }

  /** Send `frame` as soon as possible. `onProven` is called when the server has read it. */
  add(frame, onProven = () => {}) {
    if (this.#kept.length >= KEPT) this.#forget(1); // offline for long: drop the oldest
    this.#kept.push({ frame, onProven });
    if (this.#tick) return;
    this.#tick = true; // confirmations of one tick share a frame
    queueMicrotask(() => {
      this.#tick = false;
      this.flush();
    });
  }

  opened() {
    this.#open = true;
    this.flush();
  }

  lost() {
    this.#open = false;
    this.#written = 0;
    this.#marks = [];
    this.#unmarked = 0;
    this.#clock.clearTimeout(this.#later);
    this.#later = null;
  }

  pinged() {
    this.#marks.push(this.#written);
    this.#unmarked = 0;
  }

  ponged() {
    const read = this.#marks.shift() ?? 0;
    for (const { onProven } of this.#forget(read)) onProven();
  }

  flush() {
    while (this.#open && this.#written < this.#kept.length) {
      const { frame, entries } = this.#next();
      if (frame && !this.#takeToken()) return this.#flushLater();
      this.#written += entries;
      if (!frame) continue;
      this.#write(frame);
      this.#unmarked += 1;
      if (this.#unmarked >= PROOF_AFTER) this.#wantProof();
    }
  }

  /** Return the next frame to write, and the number of entries that it merges (confirmations). */
  #next() {
    const { frame } = this.#kept[this.#written];
    if (frame.type !== "ack") return { frame, entries: 1 };
    const ids = new Set();
    let entries = 0;
    for (const { frame: other } of this.#kept.slice(this.#written, this.#written + IDS_PER_FRAME)) {
      if (other.type !== "ack" || ids.size + other.event_ids.length > IDS_PER_FRAME) break;
      for (const id of other.event_ids) ids.add(id);
      entries += 1;
    }
    return { frame: ids.size ? { type: "ack", event_ids: [...ids] } : null, entries };
  }

  #forget(count) {
    this.#written = Math.max(0, this.#written - count);
    this.#marks = this.#marks.map((mark) => Math.max(0, mark - count));
    return this.#kept.splice(0, count);
  }

  #takeToken() {
    const now = this.#clock.now();
    this.#tokens = Math.min(BURST, this.#tokens + ((now - this.#filledAt) / 1_000) * PER_S);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  #flushLater() {
    this.#later ??= this.#clock.setTimeout(() => {
      this.#later = null;
      this.flush();
    }, 1_000 / PER_S);
  }
}
