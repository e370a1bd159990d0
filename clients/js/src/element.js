// What the components have in common: their connection, their language, and their style.

import { inboxOf } from "./inbox.js";
import { textsOf } from "./texts.js";
import { connect } from "./tocsin.js";

const ITEMS = 30;
const CONNECTION = ["url", "person", "token-url"];
const shared = new Map(); // the connections that elements have opened, by what they connect with
const waiting = new Set(); // elements without a connection of their own, until another one has one
const Base = globalThis.HTMLElement ?? class {}; // so that a server may import the module

export class TocsinElement extends Base {
  static observedAttributes = [...CONNECTION, "locale"];

  #given = null; // the client that the page has passed
  #link = null; // {client, users}
  #starting = false;
  #offs = [];

  /** `css` is the element's style, a constructed sheet: pages with a strict policy allow it. */
  constructor(css) {
    super();
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [sheet];
  }

  /** The client whose events are shown, or null before there is one. One that is set is not closed by the element. */
  get client() {
    return this.#given ?? this.#link?.client ?? null;
  }

  set client(client) {
    this.#given = client;
    this.#restart();
  }

  get locale() {
    const near = this.getAttribute("locale") || this.closest("[lang]")?.lang;
    const wanted = near || globalThis.navigator?.language || "en";
    return Intl.DateTimeFormat.supportedLocalesOf([wanted.replaceAll("_", "-")]).length ? wanted.replaceAll("_", "-") : "en";
  }

  get texts() {
    return textsOf(this.locale);
  }

  connectedCallback() {
    this.#restart();
  }

  disconnectedCallback() {
    this.#stop();
  }

  attributeChangedCallback() {
    this.#restart();
  }

  /** Later, so that a page may set several properties. */
  #restart() {
    if (!this.isConnected || this.#starting) return;
    this.#starting = true;
    queueMicrotask(() => {
      this.#starting = false;
      this.#stop();
      if (this.isConnected) this.#start();
    });
  }

  #start() {
    this.setTexts(this.texts);
    if (!this.#given) this.#link = this.#share();
    if (!this.client) return void waiting.add(this);
    const inbox = inboxOf(this.client);
    const on = (type, handler) => this.#offs.push(this.client.on(type, handler));
    this.follow({ client: this.client, inbox, on });
    for (const element of [...waiting]) if (element !== this) element.#restart();
  }

  #stop() {
    waiting.delete(this);
    for (const off of this.#offs.splice(0)) off();
    this.unfollow();
    const link = this.#link;
    this.#link = null;
    if (!link || --link.users) return;
    shared.delete(link.name);
    link.client.close();
  }

  /** Return the connection of this element's attributes, which others with the same ones use too. */
  #share() {
    const url = this.getAttribute("url");
    const name = url ? JSON.stringify(CONNECTION.map((attribute) => this.getAttribute(attribute))) : shared.keys().next().value;
    if (!shared.has(name)) {
      if (!url) return null;
      shared.set(name, { name, users: 0, client: this.#connect(url) });
    }
    const link = shared.get(name);
    link.users += 1;
    return link;
  }

  #connect(url) {
    const tokenUrl = this.getAttribute("token-url");
    const credentials = tokenUrl && { token: () => fetchToken(tokenUrl) };
    return connect({ url, person: this.getAttribute("person") ?? "", inbox: ITEMS, ...credentials });
  }
}

async function fetchToken(url) {
  const answer = await fetch(url, { credentials: "same-origin", cache: "no-store" });
  if (answer.status === 401 || answer.status === 403) return null;
  if (!answer.ok) throw new Error(`No token from ${url}: ${answer.status}`);
  return (await answer.text()).trim();
}
