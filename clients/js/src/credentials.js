// The credentials: a browser session (no frame needed), a token, or a single-use ticket.

const EARLY_SHARE = 0.2;
const EARLY_MAX_MS = 60_000;

export class Credentials {
  #kind;
  #source;
  #clock;
  #timer = null;

  /** `token` and `ticket` are strings, or functions that return one or a promise of one. */
  constructor({ token, ticket, clock }) {
    if (token !== undefined && ticket !== undefined) throw new TypeError("Give token or ticket, not both.");
    this.#kind = token !== undefined ? "token" : "ticket";
    this.#source = token ?? ticket;
    this.#clock = clock;
  }

  /** Whether the page's session signs in, so that no `auth` frame is sent. */
  get bySession() {
    return this.#source === undefined;
  }

  /** Whether a refusal may be answered with new credentials. */
  get renewable() {
    return typeof this.#source === "function";
  }

  /** Resolves to the fields of an `auth` frame, or to null if the page has none (any more). */
  async get() {
    const value = this.renewable ? await this.#source() : this.#source;
    return typeof value === "string" && value ? { [this.#kind]: value } : null;
  }

  /** Call `renew` with a new `auth` frame before the token expires. `expiresAtMs` 0: read it from the token. */
  renewBefore(auth, expiresAtMs, renew) {
    this.stop();
    const endsAt = expiresAtMs || expiryOf(auth?.token);
    if (!this.renewable || this.#kind !== "token" || !endsAt) return;
    const leftMs = endsAt - this.#clock.now();
    if (leftMs <= 0) return;
    const early = Math.min(EARLY_MAX_MS, leftMs * EARLY_SHARE);
    this.#timer = this.#clock.setTimeout(() => this.#renew(renew), leftMs - early);
  }

  stop() {
    this.#clock.clearTimeout(this.#timer);
  }

  async #renew(renew) {
    // Without a new one the server closes with 4001, and we ask once more then.
    const auth = await this.get().catch(() => null);
    if (auth) renew({ type: "auth", ...auth });
  }
}

/** Return when a JWT expires, in Unix ms; 0 if unreadable. The server checks the token, not we. */
function expiryOf(token) {
  try {
    const claims = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return (JSON.parse(atob(claims)).exp ?? 0) * 1_000;
  } catch {
    return 0;
  }
}
