// What the tests play on: a scripted WebSocket server, a clock that only tests move, tabs that share locks.

import { webcrypto } from "node:crypto";
import { once } from "node:events";
import { WebSocket, WebSocketServer } from "ws";

import { connect } from "../src/tocsin.js";

globalThis.crypto ??= webcrypto; // Node 18 has it only there

export const EPOCH = "0d6f0f0e-epoch";

/** A clock whose timers run only when a test advances it. */
export class ManualClock {
  #now = 1_000_000;
  #timers = new Map();
  #last = 0;

  now = () => this.#now;

  setTimeout = (callback, ms) => {
    this.#timers.set(++this.#last, { callback, at: this.#now + ms });
    return this.#last;
  };

  clearTimeout = (timer) => void this.#timers.delete(timer);

  advance(ms) {
    const end = this.#now + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.#now = Math.max(this.#now, due[1].at);
      due[1].callback();
    }
    this.#now = end;
  }

  /** How long until each timer, soonest first. */
  get waits() {
    return [...this.#timers.values()].map(({ at }) => at - this.#now).sort((a, b) => a - b);
  }
}

/** A page whose network and visibility a test decides. */
export class FakePage {
  online = true;
  hidden = false;
  #wakers = new Set();

  isHidden = () => this.hidden;

  isOnline = () => this.online;

  watch = (onWake) => {
    this.#wakers.add(onWake);
    return () => this.#wakers.delete(onWake);
  };

  show() {
    this.hidden = false;
    this.wake();
  }

  wake() {
    for (const onWake of [...this.#wakers]) onWake();
  }
}

export class MemoryStorage {
  #items = new Map();
  getItem = (key) => this.#items.get(key) ?? null;
  setItem = (key, value) => void this.#items.set(key, value);

  get values() {
    return [...this.#items.values()].map((value) => JSON.parse(value));
  }
}

/** `navigator.locks` as far as the client uses it: first come, first served; `kill` is a tab's sudden death. */
export class Locks {
  #queue = [];

  request(name, { signal, steal = false }, callback) {
    return new Promise((resolve, reject) => {
      const entry = { name, callback, resolve, reject, held: false };
      signal?.addEventListener("abort", () => {
        if (entry.held) return;
        this.#queue = this.#queue.filter((other) => other !== entry);
        reject(signal.reason);
      });
      if (steal) this.#steal(entry);
      else this.#queue.push(entry);
      this.#grant();
    });
  }

  #steal(entry) {
    if (this.#queue[0]?.held) this.#queue.shift().reject(new DOMException("stolen", "AbortError"));
    this.#queue.unshift(entry);
  }

  kill() {
    this.#queue.shift();
    this.#grant();
  }

  #grant() {
    const first = this.#queue[0];
    if (!first || first.held) return;
    first.held = true;
    queueMicrotask(async () => {
      await first.callback();
      this.#queue = this.#queue.filter((other) => other !== first);
      first.resolve();
      this.#grant();
    });
  }
}

/** One socket as the server sees it. Frames are read one by one; a test fails by the runner's time limit. */
class Peer {
  #frames = [];
  #waiting = [];

  constructor(socket, request) {
    this.socket = socket;
    this.query = new URL(request.url, "ws://server").searchParams;
    this.closed = once(socket, "close");
    socket.on("message", (data) => {
      const frame = JSON.parse(data);
      const next = this.#waiting.shift();
      if (next) next(frame);
      else this.#frames.push(frame);
    });
  }

  send(frame) {
    this.socket.send(JSON.stringify(frame));
  }

  ready(fields = {}) {
    this.send({ type: "ready", seq: 0, epoch: EPOCH, recovered: false, unread: 0, ...fields });
  }

  event(seq, fields = {}) {
    this.send(event(seq, fields));
  }

  receive() {
    return this.#frames.length ? Promise.resolve(this.#frames.shift()) : new Promise((r) => this.#waiting.push(r));
  }

  /** Frames that came and were not read. */
  get unread() {
    return this.#frames;
  }
}

export function event(seq, fields = {}) {
  return {
    type: "event",
    event_id: `e-${seq}`,
    event_type: "ORDER_FILLED",
    priority: "CRITICAL",
    timestamp: 1_795_248_734_000,
    payload: {},
    title: "Order filled",
    body: "",
    ...(seq && { seq }),
    ...fields,
  };
}

/** A scripted server with clients on it. Everything ends with the test. */
export class Stage {
  clock = new ManualClock();
  page = new FakePage();
  storage = new MemoryStorage();
  clients = [];
  #peers = [];
  #waiting = [];

  static async begin(t) {
    const stage = new Stage();
    stage.server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    await once(stage.server, "listening");
    stage.server.on("connection", (socket, request) => stage.#arrive(new Peer(socket, request)));
    t.after(() => stage.#end());
    return stage;
  }

  get url() {
    return `ws://127.0.0.1:${this.server.address().port}/ws`;
  }

  #arrive(peer) {
    const next = this.#waiting.shift();
    if (next) next(peer);
    else this.#peers.push(peer);
  }

  /** The next socket that is opened. */
  peer() {
    return this.#peers.length ? Promise.resolve(this.#peers.shift()) : new Promise((r) => this.#waiting.push(r));
  }

  /** Sockets that were opened and not asked for. */
  get strangers() {
    return this.#peers.length;
  }

  client(options = {}) {
    const { clock, page, storage } = this;
    const client = connect({ url: this.url, WebSocket, clock, page, storage, random: () => 0.5, ...options });
    this.clients.push(client);
    return client;
  }

  /** A live client and its socket. */
  async live(options = {}, ready = {}) {
    const client = this.client(options);
    const peer = await this.peer();
    const live = next(client, "ready");
    peer.ready(ready);
    await live;
    return { client, peer };
  }

  #end() {
    for (const client of this.clients) client.close();
    for (const socket of this.server.clients) socket.terminate();
    this.server.close();
  }
}

/** The next `type` of this client. */
export function next(client, type) {
  return new Promise((resolve) => {
    const off = client.on(type, (detail) => {
      off();
      resolve(detail);
    });
  });
}

/** Resolves when the client has this state. */
export async function reached(client, state) {
  while (client.state !== state) await next(client, "state");
}

/** All that `client` says of this type, as it comes. */
export function collected(client, type) {
  const details = [];
  client.on(type, (detail) => void details.push(detail));
  return details;
}

/** Resolves to the frames that the client had sent before: those that the peer receives before our mark. */
export async function sentBefore(client, peer) {
  client.acknowledge("mark");
  const before = [];
  for (let frame = await peer.receive(); frame.event_id !== "mark"; frame = await peer.receive()) before.push(frame);
  return before;
}
