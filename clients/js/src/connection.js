// A connection that is kept open: it signs in, resumes, reconnects, and stops when reconnecting is pointless.

import { Backoff } from "./backoff.js";
import { Heartbeat } from "./heartbeat.js";
import { Outbox } from "./outbox.js";

const READY_WITHIN_MS = 20_000;
const LOST = 1006;
const TOO_LARGE = 1009;
const SIGNED_OUT = 4001;
const ORIGIN_REFUSED = 4003;

export class Connection {
  #options;
  #clock;
  #credentials;
  #backoff;
  #heartbeat;
  #outbox;
  #attempt = null; // {socket, asked, auth, timer}; null while nothing is open or being opened
  #state = "connecting";
  #retry = null;
  #patient = false;
  #plannedMs = null;
  #refused = false;
  #ended = false;

  /**
   * Options: url, WebSocket, credentials, device, inbox (items to get with `ready`), resume() -> {seq, epoch} or null, clock, random, page,
   * onFrame(frame, asked) with whether a resume was asked for, onState(state), onProblem(error).
   */
  constructor(options) {
    this.#options = options;
    this.#clock = options.clock;
    this.#credentials = options.credentials;
    this.#backoff = new Backoff(options);
    this.#heartbeat = new Heartbeat({
      clock: this.#clock,
      ping: () => this.#ping(),
      dead: () => this.#abandon(),
    });
    this.#outbox = new Outbox({
      clock: this.#clock,
      write: (frame) => this.#write(frame),
      wantProof: () => this.#heartbeat.probe(),
    });
  }

  open() {
    if (this.#ended || this.#attempt) return;
    this.#stopRetry();
    if (!this.#options.page.isOnline()) return this.#setState("offline"); // `wake` is called when it is back
    if (this.#state === "offline") this.#setState("reconnecting");
    const attempt = (this.#attempt = {});
    void this.#dial(attempt);
  }

  /** Send a frame now or after the next `ready`; `onProven` is called when the server has read it. */
  send(frame, onProven) {
    this.#outbox.add(frame, onProven);
  }

  /** The network or the person came or went: retry now, or test an open socket with a ping. */
  wake() {
    if (this.#state === "live") this.#heartbeat.probe();
    else if (!this.#patient) this.open();
  }

  /** Events are missing: reconnect, and resume from the page's position. */
  resync() {
    if (this.#state === "live") this.#abandon();
  }

  close() {
    this.#end("closed");
  }

  async #dial(attempt) {
    try {
      attempt.auth = this.#credentials.bySession ? null : await this.#credentials.get();
      if (attempt !== this.#attempt) return; // closed meanwhile
      if (attempt.auth || this.#credentials.bySession) this.#connect(attempt);
      else this.#end("signed out");
    } catch (error) {
      this.#options.onProblem(error);
      if (attempt === this.#attempt) this.#closed(LOST);
    }
  }

  #connect(attempt) {
    attempt.asked = this.#options.resume();
    attempt.timer = this.#clock.setTimeout(() => this.#abandon(), READY_WITHIN_MS);
    attempt.socket = new this.#options.WebSocket(this.#address(attempt));
    const listen = (type, take) =>
      attempt.socket.addEventListener(type, (event) => attempt === this.#attempt && take(event));
    listen("open", () => attempt.auth && this.#signIn(attempt));
    listen("message", ({ data }) => this.#receive(data));
    listen("close", ({ code }) => this.#closed(code));
    listen("error", () => {}); // a close event with a code follows
  }

  /** A page with a session sends no `auth` frame, so what it asks for is part of the address. */
  #address({ asked }) {
    const url = new URL(this.#options.url);
    const { inbox } = this.#options;
    if (this.#credentials.bySession) {
      for (const [name, value] of Object.entries({ ...asked, ...(inbox && { inbox }) })) url.searchParams.set(name, value);
    }
    return url.href;
  }

  #signIn({ auth, asked }) {
    const { device, inbox } = this.#options;
    const more = { ...(device && { device }), ...(inbox && { inbox }), ...(asked && { resume: asked }) };
    this.#write({ type: "auth", ...auth, ...more });
  }

  #write(frame) {
    this.#attempt?.socket?.send(JSON.stringify(frame));
  }

  #ping() {
    this.#outbox.pinged();
    this.#write({ type: "ping" });
  }

  #receive(data) {
    this.#heartbeat.alive();
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return this.#options.onProblem(new Error("A frame that is not JSON was ignored."));
    }
    if (typeof frame?.type !== "string") return;
    if (frame.type === "pong") return this.#outbox.ponged();
    if (frame.type === "ready") this.#ready();
    if (frame.type === "shutdown") this.#plannedMs = Number(frame.reconnect_after_ms) || 0;
    if (frame.type === "auth.renewed") this.#renewBefore(frame.expires_at);
    this.#options.onFrame(frame, Boolean(this.#attempt?.asked));
    if (frame.type === "ready") this.#outbox.opened();
  }

  #ready() {
    this.#clock.clearTimeout(this.#attempt.timer);
    this.#refused = false;
    this.#backoff.ready();
    this.#heartbeat.start();
    this.#renewBefore(0);
    this.#setState("live");
  }

  #renewBefore(expiresAtMs) {
    this.#credentials.renewBefore(this.#attempt.auth, expiresAtMs, (frame) => this.#write(frame));
  }

  #abandon() {
    const socket = this.#attempt?.socket;
    this.#closed(LOST); // first, since the close event of a dead socket may take a minute
    socket?.close();
  }

  #closed(code) {
    const planned = this.#plannedMs;
    if (code === TOO_LARGE) this.#dropLargest();
    this.#drop();
    if (code === ORIGIN_REFUSED) return this.#end("origin refused");
    if (code === SIGNED_OUT) return this.#signedOut();
    this.#setState("reconnecting");
    const { ms, patient } = this.#backoff.afterClose(code, planned);
    this.#patient = patient;
    this.#retry = this.#clock.setTimeout(() => this.open(), ms);
  }

  /** The frame would end every connection on which it is sent. */
  #dropLargest() {
    const size = this.#outbox.dropLargest();
    if (size) this.#options.onProblem(new Error(`A frame of ${size} characters was too large, and is dropped.`));
  }

  /** Try new credentials once; after a second refusal the person is signed out. */
  #signedOut() {
    if (this.#refused || !this.#credentials.renewable) return this.#end("signed out");
    this.#refused = true;
    this.#setState("reconnecting");
    this.open();
  }

  #drop() {
    this.#clock.clearTimeout(this.#attempt?.timer);
    this.#attempt = null;
    this.#plannedMs = null;
    this.#credentials.stop();
    this.#heartbeat.stop();
    this.#outbox.lost();
  }

  #stopRetry() {
    this.#clock.clearTimeout(this.#retry);
    this.#patient = false;
  }

  #end(state) {
    if (this.#ended) return;
    this.#ended = true;
    const socket = this.#attempt?.socket;
    this.#drop();
    this.#stopRetry();
    socket?.close(1000);
    this.#setState(state);
  }

  #setState(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.#options.onState(state);
  }
}
