// Live events of Tocsin. `connect` returns a client; README.md has examples, tocsin.d.ts every type.

import { Confirmer } from "./confirmer.js";
import { Connection } from "./connection.js";
import { Credentials } from "./credentials.js";
import { Emitter } from "./emitter.js";
import { browserPage, systemClock, tabStorage } from "./environment.js";
import { Intake } from "./intake.js";
import { framesNaming, framesOfTopics, nameOf } from "./naming.js";
import { Position } from "./position.js";
import { OwnLink, SharedLink } from "./sharing.js";

// Types of the client's own events. A server frame of such a type reaches only the "frame" handlers.
const OWN_TYPES = new Set(["frame", "state", "role", "problem"]);

/** Connect, and stay connected until `close`. Throws TypeError for invalid options. */
export function connect(options) {
  return new Client(options);
}

class Client {
  #emitter = new Emitter();
  #intake;
  #link;
  #confirmer;
  #unwatch;
  #state = "connecting";
  #role = "alone";
  #inboxItems;

  constructor({ url, storage = tabStorage(), person = "", page = browserPage, ...options }) {
    const address = socketAddress(url);
    const clock = options.clock ?? systemClock;
    const credentials = new Credentials({ ...options, clock });
    const position = new Position(storage, `tocsin:position:${person}:${address}`);
    this.#inboxItems = options.inbox;
    const { confirm = true, confirmHidden = isNotCritical } = options;
    const send = (events) => this.confirm(events);
    this.#confirmer = new Confirmer({ may: confirm, mayHidden: confirmHidden, page, send });
    this.#intake = new Intake({
      emitter: this.#emitter,
      position,
      clock,
      confirm: (event) => this.#confirmer.handled(event),
      resync: () => this.#link.resync(),
    });
    const makeConnection = (callbacks) =>
      new Connection({
        url: address,
        page,
        clock,
        device: options.device,
        inbox: options.inbox,
        random: options.random ?? Math.random,
        WebSocket: options.WebSocket ?? globalThis.WebSocket,
        credentials,
        resume: () => position.resume,
        onProblem: (error) => this.#emitter.report(error),
        ...callbacks,
      });
    this.#link = this.#makeLink(options, person, address, makeConnection);
    this.#unwatch = page.watch(() => this.#wake());
    this.subscribe(options.topics ?? []);
    // Start later, so that handlers added right after `connect` miss nothing, not even "state" and "role".
    queueMicrotask(() => this.#state === "closed" || this.#link.open());
  }

  #makeLink(options, person, address, makeConnection) {
    const { share = true, locks = globalThis.navigator?.locks, BroadcastChannel = globalThis.BroadcastChannel } = options;
    const link = {
      makeConnection,
      onFrame: (frame, asked) => this.#receive(frame, asked),
      onState: (state) => this.#setState(state),
      onRole: (role) => this.#setRole(role),
    };
    // Without the person's name, a tab of another person could receive the events.
    if (!share || !person || !locks || !BroadcastChannel) return new OwnLink(link);
    return new SharedLink({
      ...link,
      name: `tocsin:${person}:${address}`,
      locks,
      BroadcastChannel,
      clock: options.clock ?? systemClock,
      random: options.random ?? Math.random,
    });
  }

  /** "connecting", "live", "reconnecting", "offline", "signed out", "origin refused" or "closed". */
  get state() {
    return this.#state;
  }

  /** "leader" (this tab has the socket), "follower", or "alone" if nothing is shared. */
  get role() {
    return this.#role;
  }

  /** How many items of the inbox come with every `ready`; 0: none. */
  get firstItems() {
    return this.#inboxItems ?? 0;
  }

  /** Call `handler` for each of `type`. Return a function that ends it. */
  on(type, handler) {
    return this.#emitter.on(type, handler);
  }

  // Events are named by themselves (or an item of the inbox), so that their source is known; or by an id alone.

  /** Confirm these events now, in addition to those that the "event" handlers have processed. */
  confirm(events) {
    this.#send(framesNaming("ack", events));
  }

  /** The page shows these events, from a snapshot: confirm them as if a handler had processed them. */
  shown(events) {
    for (const event of events) this.#confirmer.handled(event);
  }

  /** The person has acknowledged the event. */
  acknowledge(event) {
    this.#send([{ type: "acknowledge", ...nameOf(event) }]);
  }

  seen(events) {
    this.#send(framesNaming("seen", events));
  }

  read(events) {
    this.#send(framesNaming("read", events));
  }

  archive(events) {
    this.#send(framesNaming("archive", events));
  }

  /** Ask for a page of the inbox, which comes as "inbox.page": items with a `seq` below `before`, or the newest. */
  inbox({ before, limit = this.#inboxItems ?? 30 } = {}) {
    this.#send([{ type: "inbox", limit, ...(before && { before }) }]);
  }

  subscribe(topics) {
    this.#send(framesOfTopics("subscribe", topics));
  }

  unsubscribe(topics) {
    this.#send(framesOfTopics("unsubscribe", topics));
  }

  /** End the connection. Nothing is sent or dispatched after this. */
  close() {
    if (this.#state === "closed") return;
    this.#unwatch();
    this.#intake.close();
    this.#link.close();
    this.#setState("closed");
  }

  /** A handler may finish after `close`: its event is then not confirmed. */
  #send(frames) {
    if (this.#state !== "closed") for (const frame of frames) this.#link.send(frame);
  }

  #wake() {
    this.#confirmer.wake();
    this.#link.wake();
  }

  #receive(frame, asked) {
    if (frame.type === "ready") this.#ready(frame, asked);
    else if (frame.type === "event") void this.#intake.event(frame);
    else if (frame.type === "snapshot") void this.#intake.snapshot(frame);
    else if (!OWN_TYPES.has(frame.type)) void this.#emitter.emit(frame.type, frame);
    void this.#emitter.emit("frame", frame);
  }

  /** Without `unread` it is another tab's connection that this one joins: its first page has gone by. */
  #ready(frame, asked) {
    this.#intake.ready(frame, asked);
    if (this.#inboxItems && frame.unread === undefined) this.inbox();
  }

  #setState(state) {
    if (state === this.#state || this.#state === "closed") return;
    this.#state = state;
    void this.#emitter.emit("state", state);
  }

  #setRole(role) {
    this.#role = role;
    void this.#emitter.emit("role", role);
  }
}

function isNotCritical({ priority }) {
  return priority !== "CRITICAL";
}

function socketAddress(url) {
  const address = new URL(url, globalThis.location?.href);
  address.protocol = address.protocol.replace(/^http/, "ws");
  if (!/^wss?:$/.test(address.protocol)) throw new TypeError(`${url} is not an address for a WebSocket.`);
  return address.href;
}
