// What the components have in common: their connection, their language, and their style.

import { inboxOf } from "./inbox.js";
import { localeOf, textsOf } from "./texts.js";
import { connect } from "./tocsin.js";

const ITEMS = 30;
const CONNECTION = ["url", "person", "token-url"];
const shared = new Map(); // the connections that elements have opened, by what they connect with
const borrowers = new Set(); // elements without a `url`: they show the first connection of another one
const Base = globalThis.HTMLElement ?? class {}; // so that a server may import the module

export class TocsinElement extends Base {
  static observedAttributes = [...CONNECTION, "locale"];

  #given = null; // the client that the page has passed
  #link = null; // {name, client, users}
  #followed = null; // the client that is shown
  #updating = false;
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
    return this.#given ?? this.#link?.client ?? (borrowers.has(this) ? firstShared() : null);
  }

  set client(client) {
    this.#given = client;
    this.#update();
  }

  get locale() {
    return localeOf(this.getAttribute("locale"), this.closest("[lang]")?.lang, navigator.language);
  }

  get texts() {
    return textsOf(this.locale);
  }

  connectedCallback() {
    this.#update();
  }

  disconnectedCallback() {
    this.#update();
  }

  attributeChangedCallback() {
    this.#update();
  }

  /** Later, so that a page may set several properties, or move the element, at the cost of one change. */
  #update() {
    if (this.#updating) return;
    this.#updating = true;
    queueMicrotask(() => {
      this.#updating = false;
      const [before, url] = [this.#link, this.getAttribute("url")];
      const connects = this.isConnected && !this.#given;
      this.#link = connects && url ? this.#enter(url) : null;
      borrowers[connects && !url ? "add" : "delete"](this);
      if (this.isConnected) this.setTexts(this.texts);
      this.#show(this.isConnected ? this.client : null);
      if (before) this.#leave(before);
    });
  }

  #show(client) {
    if (client === this.#followed) return;
    for (const off of this.#offs.splice(0)) off();
    if (this.#followed) this.unfollow();
    this.#followed = client;
    if (client) this.follow({ inbox: inboxOf(client), on: (type, handler) => this.#offs.push(client.on(type, handler)) });
  }

  /** Return the connection of this element's attributes, which others with the same ones use too. */
  #enter(url) {
    const name = JSON.stringify(CONNECTION.map((attribute) => this.getAttribute(attribute)));
    if (!shared.has(name)) {
      shared.set(name, { name, users: 0, client: this.#connect(url) });
      for (const element of borrowers) element.#update();
    }
    const link = shared.get(name);
    link.users += 1;
    return link;
  }

  /** The last element that leaves a connection closes it. */
  #leave(link) {
    link.users -= 1;
    if (link.users) return;
    shared.delete(link.name);
    link.client.close();
    for (const element of borrowers) element.#update();
  }

  #connect(url) {
    const tokenUrl = this.getAttribute("token-url");
    const credentials = tokenUrl && { token: () => fetchToken(tokenUrl) };
    return connect({ url, person: this.getAttribute("person") ?? "", inbox: ITEMS, ...credentials });
  }
}

function firstShared() {
  return shared.values().next().value?.client ?? null;
}

async function fetchToken(url) {
  const answer = await fetch(url, { credentials: "same-origin", cache: "no-store" });
  if (answer.status === 401 || answer.status === 403) return null;
  if (!answer.ok) throw new Error(`No token from ${url}: ${answer.status}`);
  return (await answer.text()).trim();
}
