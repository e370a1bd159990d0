// One connection for all tabs of a browser. One tab is the leader: it has the socket, and passes every frame to the
// others over a BroadcastChannel. When it closes, crashes or halts, another tab leads (election.js), which connects
// and resumes from its own position.

import { Election } from "./election.js";
import { keyOf } from "./naming.js";
import { Recent } from "./recent.js";

const REMEMBERED = 5_000;
const FROM_A_LEADER = new Set(["leader", "welcome", "state", "frame", "proven"]);

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
  #election;
  #channel;
  #options;
  #tab = crypto.randomUUID();
  #connection = null; // while this tab is the leader
  #state = "connecting";
  #ready = null; // the last `ready` with the current seq, for tabs that join
  #joined = false;
  #confirmed = new Recent(REMEMBERED);
  #unproven = new Map(); // number -> frame of this tab that no leader has reported as read
  #lastNumber = 0;
  #closed = false;

  /** Options: name, locks, BroadcastChannel, clock, random, makeConnection(callbacks), onFrame, onState, onRole. */
  constructor(options) {
    this.#options = options;
    this.#election = new Election({
      ...options,
      ask: () => this.#post("ask"),
      onLead: () => this.#lead(),
      onDeposed: () => this.#follow(),
    });
    this.#channel = new options.BroadcastChannel(options.name);
    this.#channel.onmessage = ({ data }) => this.#onMessage(data);
  }

  open() {
    this.#options.onRole("follower");
    this.#post("hello");
    this.#election.join();
  }

  send(frame) {
    this.#unproven.set(++this.#lastNumber, frame);
    if (this.#unproven.size > REMEMBERED) this.#unproven.delete(this.#unproven.keys().next().value);
    this.#pass(this.#lastNumber, frame);
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
    this.#closed = true;
    this.#connection?.close();
    this.#election.leave();
    this.#channel.close();
    this.#options.onState("closed");
  }

  // --- leading ------------------------------------------------------------------------------------------
  #lead() {
    this.#ready = null;
    this.#confirmed = new Recent(REMEMBERED);
    const isMine = () => !this.#closed && this.#connection === connection; // else closing concerns nobody
    const connection = (this.#connection = this.#options.makeConnection({
      onFrame: (frame, asked) => isMine() && this.#onFrame(frame, asked),
      onState: (state) => isMine() && this.#onState(state),
    }));
    this.#passAll();
    this.#options.onRole("leader");
    this.#post("leader");
    this.#onState(this.#joined ? "reconnecting" : "connecting");
    connection.open();
  }

  /** Another tab leads: this one was halted for a while. What it has not sent goes through the new leader. */
  #follow() {
    const connection = this.#connection;
    this.#connection = null;
    connection.close();
    this.#options.onRole("follower");
    this.#post("ask");
    this.#passAll();
  }

  #onFrame(frame, asked) {
    if (frame.type === "ready") {
      this.#ready = frame;
      this.#joined = true;
    }
    if (frame.type === "event") {
      this.#confirmed.delete(keyOf(frame)); // the server expects a confirmation (again)
      if (frame.seq > this.#ready?.seq) this.#ready = { ...this.#ready, seq: frame.seq };
    }
    this.#post("frame", { frame, asked });
    this.#options.onFrame(frame, asked);
  }

  #onState(state) {
    this.#state = state;
    this.#post("state", { state });
    this.#options.onState(state);
  }

  /** Several tabs handle an event; one confirmation is enough. */
  #sendToServer(frame, onProven) {
    if (frame.type !== "ack") return this.#connection.send(frame, onProven);
    const isNew = (id) => !this.#confirmed.has(keyOf({ ...frame, event_id: id }));
    const ids = frame.event_ids.filter(isNew);
    for (const id of ids) this.#confirmed.add(keyOf({ ...frame, event_id: id }));
    this.#connection.send({ ...frame, event_ids: ids }, onProven); // an empty one keeps the order
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
    if (FROM_A_LEADER.has(message.kind)) this.#election.heard();
    if (message.to !== undefined && message.to !== this.#tab) return;
    if (this.#connection) this.#handleAsLeader(message);
    else this.#handleAsFollower(message);
  }

  #handleAsLeader({ kind, from, number, frame, asked }) {
    // From a tab that has taken over while this one was halted; this one does not know it yet.
    if (kind === "frame" && frame.type === "event") this.#options.onFrame(frame, asked);
    if (kind === "hello") this.#welcome(from);
    if (kind === "ask") this.#post("state", { state: this.#state });
    if (kind === "wake") this.#connection.wake();
    if (kind === "send") this.#sendToServer(frame, () => this.#post("proven", { to: from, number }));
  }

  #handleAsFollower({ kind, state, ready, frame, asked, number: proven }) {
    if (kind === "leader") this.#passAll();
    if (kind === "proven") for (const number of this.#unproven.keys()) if (number <= proven) this.#unproven.delete(number);
    if (kind === "state" || kind === "welcome") this.#options.onState(state);
    if (kind === "welcome" && ready && !this.#joined) this.#handleFrame(ready, false);
    if (kind === "frame") this.#handleFrame(frame, asked);
  }

  /** Send a frame of this tab to the server, through the leader. */
  #pass(number, frame) {
    if (this.#connection) this.#sendToServer(frame, () => this.#unproven.delete(number));
    else this.#post("send", { number, frame });
  }

  #passAll() {
    for (const [number, frame] of this.#unproven) this.#pass(number, frame);
  }

  /** The leader resumed from its own position; a tab without state has recovered nothing. */
  #handleFrame(frame, asked) {
    if (frame.type !== "ready") return this.#options.onFrame(frame, asked);
    const first = !this.#joined;
    this.#joined = true;
    return this.#options.onFrame(first ? { ...frame, recovered: false } : frame, asked && !first);
  }
}
