// The WebSocket: keeps one connection open, and says what came in.
//
// Events it dispatches: "frame" (detail: a server frame) and "state" (detail: "live", "reconnecting",
// "signed out" or "origin refused"). It knows nothing of the page.

const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 15_000;
const PING_EVERY_MS = 30_000;
const PONG_WITHIN_MS = 10_000;
const STABLE_AFTER_MS = 5_000;
const KEPT_FRAMES = 500;

const CLOSE_SIGNED_OUT = 4001;
const CLOSE_ORIGIN = 4003;
// Too many sockets, flooding: coming back at once would only make it worse.
const CLOSE_SLOW_DOWN = new Set([4009, 4029]);

export class Connection extends EventTarget {
  #url;
  #socket = null;
  #state = "";
  #failures = 0;
  #readyAt = 0;
  #plannedDelayMs = null;
  #ended = false;
  #reconnectTimer = 0;
  #pingTimer = 0;
  #pongTimer = 0;
  #waiting = [];

  constructor(url) {
    super();
    const absolute = new URL(url, location.href);
    absolute.protocol = absolute.protocol.replace("http", "ws");
    this.#url = absolute.href;
    addEventListener("online", () => this.#wake());
    document.addEventListener("visibilitychange", () => document.hidden || this.#wake());
  }

  open() {
    if (this.#ended || this.#socket) return;
    clearTimeout(this.#reconnectTimer);
    this.#setState("reconnecting");
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.addEventListener("message", (message) => socket === this.#socket && this.#receive(message.data));
    socket.addEventListener("close", (event) => socket === this.#socket && this.#closed(event.code));
  }

  /** Send a frame, or keep it until the next `ready`. All our frames may be sent twice without harm. */
  send(frame) {
    if (this.#state === "live") this.#write(frame);
    else if (this.#waiting.length < KEPT_FRAMES) this.#waiting.push(frame);
  }

  #write(frame) {
    this.#socket.send(JSON.stringify(frame));
  }

  #receive(data) {
    clearTimeout(this.#pongTimer); // any frame proves that the other side is there
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return console.warn("A frame that is not JSON was ignored.");
    }
    if (frame.type === "ready") this.#ready();
    if (frame.type === "shutdown") this.#plannedDelayMs = frame.reconnect_after_ms ?? 0;
    if (frame.type !== "pong") this.dispatchEvent(new CustomEvent("frame", { detail: frame }));
  }

  #ready() {
    this.#readyAt = Date.now();
    this.#setState("live");
    clearInterval(this.#pingTimer);
    this.#pingTimer = setInterval(() => this.#ping(), PING_EVERY_MS);
    for (const frame of this.#waiting.splice(0)) this.#write(frame);
  }

  /** Without an answer in time the connection is dead, even if TCP has not noticed yet. */
  #ping() {
    if (this.#state !== "live") return;
    this.#write({ type: "ping" });
    clearTimeout(this.#pongTimer);
    this.#pongTimer = setTimeout(() => this.#abandon(), PONG_WITHIN_MS);
  }

  #abandon() {
    const socket = this.#socket;
    this.#closed(1006); // first, since a dead socket's own close event may take a minute
    socket?.close();
  }

  #closed(code) {
    this.#socket = null;
    clearInterval(this.#pingTimer);
    clearTimeout(this.#pongTimer);
    if (code === CLOSE_SIGNED_OUT) return this.#end("signed out");
    if (code === CLOSE_ORIGIN) return this.#end("origin refused");
    // A socket that is taken and dropped again at once must not reset the backoff.
    if (this.#readyAt && Date.now() - this.#readyAt > STABLE_AFTER_MS) this.#failures = 0;
    this.#readyAt = 0;
    this.#setState("reconnecting");
    this.#reconnectTimer = setTimeout(() => this.open(), this.#delayMs(code));
  }

  #end(state) {
    this.#ended = true;
    this.#setState(state);
  }

  /** Exponential backoff with full jitter, so that a restart does not bring everybody back at once. */
  #delayMs(code) {
    const planned = this.#plannedDelayMs;
    this.#plannedDelayMs = null;
    if (planned !== null) return planned + Math.random() * BACKOFF_FIRST_MS;
    if (CLOSE_SLOW_DOWN.has(code)) return BACKOFF_MAX_MS * (1 + Math.random());
    this.#failures += 1;
    const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** this.#failures);
    return BACKOFF_FIRST_MS + Math.random() * (ceiling - BACKOFF_FIRST_MS);
  }

  /** The network or the person is back: a waiting retry is made now, an open socket is put to the test. */
  #wake() {
    if (this.#socket) this.#ping();
    else this.open();
  }

  #setState(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }
}
