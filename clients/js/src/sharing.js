// One connection for all tabs of a browser. The tab that holds a Web Lock is the leader: it has the socket, and
// passes every frame to the others over a BroadcastChannel. When it closes or crashes, the browser gives the
// lock to the next tab, which connects and resumes from its own position.

import { Recent } from "./recent.js";

const REMEMBERED = 5_000;

/** A connection of one tab, where locks are missing or sharing is off. */
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

/** A shared connection. Frames reach the server once a tab has been the leader for long enough. */
export class SharedLink {
  #name;
  #locks;
  #channel;
  #options;
  #tab = crypto.randomUUID();
  #connection = null; // while this tab is the leader
  #state = "connecting";
  #ready = null; // the last `ready` with the current seq, for tabs that join
  #joined = false;
  #confirmed = new Recent(REMEMBERED);
  #relayed = new Map(); // number -> frame that no leader has reported as read
  #lastNumber = 0;
  #leave = new AbortController();
  #release = () => {};

  /** Options: name, locks, BroadcastChannel, makeConnection(callbacks), onFrame, onState, onRole. */
  constructor(options) {
    this.#options = options;
    this.#name = options.name;
    this.#locks = options.locks;
    this.#channel = new options.BroadcastChannel(options.name);
    this.#channel.onmessage = ({ data }) => this.#onMessage(data);
  }

  open() {
    this.#options.onRole("follower");
    this.#post("hello");
    const lead = () => new Promise((resolve) => this.#becomeLeader(resolve));
    this.#locks.request(this.#name, { signal: this.#leave.signal }, lead).catch(() => {}); // closed while waiting
  }

  send(frame) {
    if (this.#connection) return this.#sendToServer(frame);
    this.#relayed.set(++this.#lastNumber, frame);
    if (this.#relayed.size > REMEMBERED) this.#relayed.delete(this.#relayed.keys().next().value);
    this.#post("send", { number: this.#lastNumber, frame });
  }

  wake() {
    if (this.#connection) this.#connection.wake();
    else this.#post("wake");
  }

  /** The leader reconnects. Another tab joins again, so that its page fetches a snapshot. */
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
  #becomeLeader(release) {
    if (this.#leave.signal.aborted) return release();
    this.#release = release;
    this.#ready = null;
    this.#connection = this.#options.makeConnection({
      onFrame: (frame, asked) => this.#onFrame(frame, asked),
      onState: (state) => this.#onState(state),
    });
    for (const frame of this.#relayed.values()) this.#sendToServer(frame);
    this.#relayed.clear();
    this.#options.onRole("leader");
    this.#post("leader");
    this.#onState(this.#joined ? "reconnecting" : "connecting");
    this.#connection.open();
  }

  #onFrame(frame, asked) {
    if (frame.type === "ready") this.#ready = frame;
    if (frame.type === "event") {
      this.#confirmed.delete(frame.event_id); // the server expects a confirmation (again)
      if (frame.seq > this.#ready?.seq) this.#ready = { ...this.#ready, seq: frame.seq };
    }
    this.#post("frame", { frame, asked });
    this.#options.onFrame(frame, asked);
  }

  #onState(state) {
    if (this.#leave.signal.aborted) return; // closing concerns this tab only
    this.#state = state;
    this.#post("state", { state });
    this.#options.onState(state);
  }

  /** Several tabs handle an event; one confirmation is enough. */
  #sendToServer(frame, onProven) {
    if (frame.type !== "ack") return this.#connection.send(frame, onProven);
    const ids = frame.event_ids.filter((id) => !this.#confirmed.has(id));
    for (const id of ids) this.#confirmed.add(id);
    this.#connection.send({ type: "ack", event_ids: ids }, onProven); // an empty one keeps the order
  }

  #welcome(tab) {
    const live = this.#state === "live" && this.#ready !== null;
    // The unread count of `ready` is outdated by now; the tab's page reads it from the inbox.
    const ready = live ? { type: "ready", seq: this.#ready.seq, epoch: this.#ready.epoch, recovered: false } : null;
    this.#post("welcome", { to: tab, state: this.#state, ready });
  }

  // --- the channel --------------------------------------------------------------------------------------
  #post(kind, fields = {}) {
    this.#channel.postMessage({ kind, from: this.#tab, ...fields });
  }

  #onMessage(message) {
    if (message.to !== undefined && message.to !== this.#tab) return;
    if (this.#connection) this.#handleAsLeader(message);
    else this.#handleAsFollower(message);
  }

  #handleAsLeader({ kind, from, number, frame }) {
    if (kind === "hello") this.#welcome(from);
    if (kind === "wake") this.#connection.wake();
    if (kind === "send") this.#sendToServer(frame, () => this.#post("proven", { to: from, number }));
  }

  #handleAsFollower({ kind, state, ready, frame, asked, number: proven }) {
    if (kind === "leader") this.#relayAgain();
    if (kind === "proven") for (const number of this.#relayed.keys()) if (number <= proven) this.#relayed.delete(number);
    if (kind === "state" || kind === "welcome") this.#options.onState(state);
    if (kind === "welcome" && ready && !this.#joined) this.#handleFrame(ready, false);
    if (kind === "frame") this.#handleFrame(frame, asked);
  }

  #relayAgain() {
    for (const [number, frame] of this.#relayed) this.#post("send", { number, frame });
  }

  /** The leader resumed from its own position; a tab without state has recovered nothing. */
  #handleFrame(frame, asked) {
    if (frame.type !== "ready") return this.#options.onFrame(frame, asked);
    const first = !this.#joined;
    this.#joined = true;
    return this.#options.onFrame(first ? { ...frame, recovered: false } : frame, asked && !first);
  }
}
