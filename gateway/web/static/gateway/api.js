// HTTP calls to our own origin, with one error type. An expired session leads to the login page.

const TIMEOUT_MS = 10_000;

export class Problem extends Error {
  /** `body` is an RFC 9457 problem document, or the body that came instead of one. */
  constructor(status, body) {
    super(body?.detail || body?.title || `The server answered ${status}.`);
    this.status = status;
    this.code = body?.code ?? "";
    this.body = body;
  }
}

export class Api {
  #config;

  constructor(config) {
    this.#config = config;
  }

  get(path) {
    return this.#call("GET", path);
  }

  post(path, body) {
    return this.#call("POST", path, body);
  }

  put(path, body) {
    return this.#call("PUT", path, body);
  }

  toLogin() {
    const next = encodeURIComponent(location.pathname);
    location.assign(`/login/?next=${next}`);
  }

  async #call(method, path, body) {
    const headers = { Accept: "application/json, application/problem+json" };
    if (method !== "GET") {
      headers["Content-Type"] = "application/json";
      headers["X-CSRFToken"] = this.#csrfToken();
    }
    const answer = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const parsed = await answer.json().catch(() => null);
    if (answer.ok) return parsed;
    if (isSignedOut(answer.status, parsed)) this.toLogin();
    throw new Problem(answer.status, parsed);
  }

  /** The cookie has precedence: Django renews it at sign-in, and an open page still has the old token. */
  #csrfToken() {
    const cookie = document.cookie.split("; ").find((pair) => pair.startsWith("csrftoken="));
    return cookie ? decodeURIComponent(cookie.slice("csrftoken=".length)) : (this.#config.csrf_token ?? "");
  }
}

/** A 403 with a code `forbidden_…` concerns this request only; signing in again would not help. */
function isSignedOut(status, body) {
  return status === 401 || (status === 403 && !String(body?.code ?? "").startsWith("forbidden"));
}
