// One connection for all tabs of a browser. The tab that holds a Web Lock leads: it has the socket, and hands
// every frame to the others over a BroadcastChannel. When it goes, however it goes, the browser gives the lock
// to the next tab, which connects and resumes from where it stood itself.

import { Recent } from "./recent.js";

const REMEMBERED = 5_000;

/** A link for one tab alone, where locks are missing or nothing may be shared. */
export class OwnLink {
  constructor({ makeConnection, onFrame, onState }) {
    this.connection = makeConnection({ onFrame, onState });
  }

  open() {
    this.connection.open();
  }

  send(frame) {
    this.connection.send(frame);
  }

  wake() {
    this.connection.wake();
  }

  resync() {
    this.connection.resync();
  }

  close() {
    this.connection.close();
  }
}

/** The same for a tab that shares. Frames that are sent reach the server once some tab has led long enough. */
export class SharedLink {
  #name;
  #locks;
  #channel;
  #options;
  #tab = crypto.randomUUID();
  #connection = null; // while this tab leads
  #state = "connecting";
  #ready = null; // the last `ready`, its seq kept up to date, for tabs that join
  #joined = false;
  #confirmed = new Recent(REMEMBERED);
  #relayed = new Map(); // number -> frame that a leader has not proven yet
  #lastNumber = 0;
  #leave = new AbortController();
  #release = () => {};

  /** Options: name, locks, BroadcastChannel, makeConnection(callbacks), onFrame, onState, onRole. */
  constructor(options) {
    this.#options = options;
    this.#name = options.name;
    this.#locks = options.locks;
    this.#channel = new options.BroadcastChannel(options.name);
    this.#channel.onmessage = ({ data }) => this.#hear(data);
  }

  open() {
    this.#options.onRole("follower");
    this.#post("hello");
    const lead = () => new Promise((resolve) => this.#lead(resolve));
    this.#locks.request(this.#name, { signal: this.#leave.signal }, lead).catch(() => {}); // left while waiting
  }

  send(frame) {
    if (this.#connection) return this.#pass(frame);
    this.#relayed.set(++this.#lastNumber, frame);
    if (this.#relayed.size > REMEMBERED) this.#relayed.delete(this.#relayed.keys().next().value);
    this.#post("send", { number: this.#lastNumber, frame });
  }

  wake() {
    if (this.#connection) this.#connection.wake();
    else this.#post("wake");
  }

  /** The leader connects anew. Another tab joins anew, so that its page takes a snapshot. */
  resync() {
    if (this.#connection) return this.#connection.resync();
    this.#joined = false;
    this.#post("hello");
  }

  close() {
    this.#leave.abort();
    this.#connection?.close();
    this.#release();
    this.#channel.close();
    this.#options.onState("closed");
  }

  // --- leading ------------------------------------------------------------------------------------------
  #lead(release) {
    if (this.#leave.signal.aborted) return release();
    this.#release = release;
    this.#ready = null;
    this.#connection = this.#options.makeConnection({
      onFrame: (frame, asked) => this.#spread(frame, asked),
      onState: (state) => this.#tell(state),
    });
    for (const frame of this.#relayed.values()) this.#pass(frame);
    this.#relayed.clear();
    this.#options.onRole("leader");
    this.#post("leader");
    this.#tell(this.#joined ? "reconnecting" : "connecting");
    this.#connection.open();
  }

  #spread(frame, asked) {
    if (frame.type === "ready") this.#ready = frame;
    if (frame.type === "event") {
      this.#confirmed.delete(frame.event_id); // the server asks (again)
      if (frame.seq > this.#ready?.seq) this.#ready = { ...this.#ready, seq: frame.seq };
    }
    this.#post("frame", { frame, asked });
    this.#options.onFrame(frame, asked);
  }

  #tell(state) {
    if (this.#leave.signal.aborted) return; // closing is this tab's own affair
    this.#state = state;
    this.#post("state", { state });
    this.#options.onState(state);
  }

  /** Several tabs take an event; one confirmation is enough. */
  #pass(frame, onProven) {
    if (frame.type !== "ack") return this.#connection.send(frame, onProven);
    const ids = frame.event_ids.filter((id) => !this.#confirmed.has(id));
    for (const id of ids) this.#confirmed.add(id);
    this.#connection.send({ type: "ack", event_ids: ids }, onProven); // an empty one keeps its place in the order
  }

  #welcome(tab) {
    const live = this.#state === "live" && this.#ready !== null;
    // How many are unread is known as of the connection's start only; this tab's page asks the inbox.
    const ready = live ? { type: "ready", seq: this.#ready.seq, epoch: this.#ready.epoch, recovered: false } : null;
    this.#post("welcome", { to: tab, state: this.#state, ready });
  }

  // --- the channel --------------------------------------------------------------------------------------
  #post(kind, fields = {}) {
    this.#channel.postMessage({ kind, from: this.#tab, ...fields });
  }

  #hear(message) {
    if (message.to !== undefined && message.to !== this.#tab) return;
    if (this.#connection) this.#serve(message);
    else this.#follow(message);
  }

  #serve({ kind, from, number, frame }) {
    if (kind === "hello") this.#welcome(from);
    if (kind === "wake") this.#connection.wake();
    if (kind === "send") this.#pass(frame, () => this.#post("proven", { to: from, number }));
  }

  #follow({ kind, state, ready, frame, asked, number: proven }) {
    if (kind === "leader") this.#relayAgain();
    if (kind === "proven") for (const number of this.#relayed.keys()) if (number <= proven) this.#relayed.delete(number);
    if (kind === "state" || kind === "welcome") this.#options.onState(state);
    if (kind === "welcome" && ready && !this.#joined) this.#take(ready, false);
    if (kind === "frame") this.#take(frame, asked);
  }

  #relayAgain() {
    for (const [number, frame] of this.#relayed) this.#post("send", { number, frame });
  }

  /** What the leader resumed was its own position: to a tab that has no state yet, nothing was recovered. */
  #take(frame, asked) {
    if (frame.type !== "ready") return this.#options.onFrame(frame, asked);
    const first = !this.#joined;
    this.#joined = true;
    return this.#options.onFrame(first ? { ...frame, recovered: false } : frame, asked && !first);
  }
}
