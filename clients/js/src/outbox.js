// Frames to the server, kept until a pong proves that it has read them: it reads the frames of a socket in
// order. Unproven frames of a broken connection are written again on the next one; all of our frames may be
// sent twice without harm.

import { Acks } from "./naming.js";

const KEPT = 5_000;
const MERGED = 500; // entries at most
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

  /** A frame was too large for the server, or for something on the way: drop the largest, and return its size. */
  dropLargest() {
    const written = this.#kept.slice(0, this.#written);
    const size = Math.max(0, ...written.map((entry) => entry.size));
    const dropped = written.filter((entry) => entry.size === size);
    this.#kept = this.#kept.filter((entry) => !dropped.includes(entry));
    for (const { onProven } of dropped) onProven(); // nobody has to send it again
    return size;
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
      const { frames, entries } = this.#next();
      if (!this.#takeTokens(frames.length)) return this.#flushLater();
      for (const entry of entries) entry.size = Math.max(0, ...frames.map((frame) => JSON.stringify(frame).length));
      this.#written += entries.length;
      for (const frame of frames) this.#write(frame);
      this.#unmarked += frames.length;
      if (this.#unmarked >= PROOF_AFTER) this.#wantProof();
    }
  }

  /** Return the next frames to write, and the entries that they merge (confirmations, one frame a source). */
  #next() {
    const entries = this.#kept.slice(this.#written, this.#written + 1);
    if (entries[0].frame.type !== "ack") return { frames: [entries[0].frame], entries };
    const acks = new Acks();
    acks.add(entries[0].frame);
    for (const entry of this.#kept.slice(this.#written + 1, this.#written + MERGED)) {
      if (entry.frame.type !== "ack" || !acks.add(entry.frame)) break;
      entries.push(entry);
    }
    return { frames: acks.frames, entries };
  }

  #forget(count) {
    this.#written = Math.max(0, this.#written - count);
    this.#marks = this.#marks.map((mark) => Math.max(0, mark - count));
    return this.#kept.splice(0, count);
  }

  #takeTokens(count) {
    const now = this.#clock.now();
    this.#tokens = Math.min(BURST, this.#tokens + ((now - this.#filledAt) / 1_000) * PER_S);
    this.#filledAt = now;
    if (this.#tokens < count) return false;
    this.#tokens -= count;
    return true;
  }

  #flushLater() {
    this.#later ??= this.#clock.setTimeout(() => {
      this.#later = null;
      this.flush();
    }, 1_000 / PER_S);
  }
}
