// <tocsin-inbox>: a bell with the number of unread items, and the panel that it opens. With `inline`, the panel alone.

import { h, icon, setText } from "./dom.js";
import { TocsinElement } from "./element.js";
import { keyOf } from "./naming.js";
import { ARCHIVE, BELL, CLOSE, INBOX } from "./style.js";
import { ageOf } from "./texts.js";
import { actionsOf, bodyOf, imageOf, linked, titleOf } from "./words.js";

const MOST_SHOWN = 99;
const AGES_EVERY_MS = 30_000;
const QUIET = new Set(["live", "closed"]);
let lastSlot = 0;

export class TocsinInbox extends TocsinElement {
  #inbox = null;
  #rows = new Map(); // by `keyOf`
  #renderItem = null;
  #timer = null;
  #unread = 0;
  #onChange = () => this.#render();
  #onOutside = (event) => event.composedPath().includes(this) || this.close();
  #count = h("span", { part: "count", hidden: true });
  #bell = h("button", { type: "button", part: "bell", class: "plain", "aria-expanded": "false", "aria-controls": "panel",
    onclick: () => (this.hasAttribute("open") ? this.close() : this.open()) },
    h("slot", { name: "bell" }, icon(BELL)), this.#count);
  #heading = h("h2", { part: "heading", id: "heading", tabindex: "-1" });
  #readAll = h("button", { type: "button", part: "button read-all", onclick: () => this.#inbox?.readAll() });
  #close = h("button", { type: "button", part: "close", class: "plain", onclick: () => this.close() }, icon(CLOSE));
  #state = h("p", { part: "state", role: "status" });
  #list = h("ul", { part: "list" });
  #emptyText = h("span", {});
  #empty = h("p", { part: "empty", hidden: true }, h("slot", { name: "empty" }, this.#emptyText));
  #older = h("button", { type: "button", part: "button older", hidden: true, onclick: () => this.#inbox.older() });
  #panel = h("section", { part: "panel", id: "panel", "aria-labelledby": "heading" },
    h("div", { part: "header" }, h("slot", { name: "heading" }, this.#heading), this.#readAll, this.#close),
    this.#state,
    h("div", { part: "scroll", class: "scroll", tabindex: "0", role: "group", "aria-labelledby": "heading" },
      this.#list, this.#empty, this.#older),
    h("slot", { name: "footer" }));

  constructor() {
    super(INBOX);
    this.shadowRoot.append(this.#bell, this.#panel);
    this.#panel.addEventListener("keydown", (event) => event.key === "Escape" && this.close());
  }

  /** How many items are unread. "unread-change" is dispatched when it changes. */
  get unread() {
    return this.#unread;
  }

  /** A function of an item that returns an element to show in its place; it stands in the page, with the page's style. */
  set renderItem(render) {
    this.#renderItem = render;
    this.#clear();
    if (this.#inbox) this.#render();
  }

  open() {
    if (this.hasAttribute("inline") || this.hasAttribute("open")) return;
    this.toggleAttribute("open", true);
    this.#bell.setAttribute("aria-expanded", "true");
    this.#heading.focus({ preventScroll: true });
    document.addEventListener("pointerdown", this.#onOutside);
    this.#inbox?.seen();
  }

  close() {
    if (!this.hasAttribute("open")) return;
    const hadFocus = this.shadowRoot.activeElement !== null || this.contains(document.activeElement);
    this.toggleAttribute("open", false);
    this.#bell.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", this.#onOutside);
    if (hadFocus) this.#bell.focus();
  }

  setTexts(texts) {
    setText(this.#heading, texts.inbox);
    setText(this.#readAll, texts.readAll);
    setText(this.#older, texts.older);
    setText(this.#emptyText, texts.empty);
    this.#close.setAttribute("aria-label", texts.close);
    this.#panel.role = this.hasAttribute("inline") ? "region" : "dialog";
    this.#bell.setAttribute("aria-label", texts.bell(this.#unread));
    this.#clear();
    if (this.#inbox) this.#render();
  }

  follow({ inbox }) {
    this.#inbox = inbox;
    inbox.addEventListener("change", this.#onChange);
    this.#timer = setInterval(() => this.#rows.forEach((row) => row.refresh()), AGES_EVERY_MS);
    this.#render();
  }

  unfollow() {
    clearInterval(this.#timer);
    this.#inbox?.removeEventListener("change", this.#onChange);
    this.#inbox = null;
    this.#clear();
    document.removeEventListener("pointerdown", this.#onOutside);
  }

  #clear() {
    for (const row of this.#rows.values()) row.remove();
    this.#rows.clear();
  }

  #render() {
    const { items, unread, hasOlder, loaded, state } = this.#inbox.view;
    const isShown = this.hasAttribute("open") || this.hasAttribute("inline");
    this.#place(items);
    this.#empty.hidden = !loaded || items.length > 0;
    this.#older.hidden = !hasOlder;
    this.#readAll.hidden = unread === 0;
    setText(this.#state, QUIET.has(state) ? "" : (this.texts[state] ?? ""));
    setText(this.#count, unread > MOST_SHOWN ? `${MOST_SHOWN}+` : String(unread));
    this.#count.hidden = unread === 0;
    this.#bell.setAttribute("aria-label", this.texts.bell(unread));
    if (isShown && loaded && items.some((item) => !item.seen)) queueMicrotask(() => this.#inbox?.seen());
    if (unread === this.#unread) return;
    this.#unread = unread;
    this.dispatchEvent(new CustomEvent("unread-change", { detail: { unread } }));
  }

  /** Keep the rows that are there: the focus and the place of the scroll stay. */
  #place(items) {
    const wanted = new Set(items.map(keyOf));
    for (const [key, row] of this.#rows) if (!wanted.has(key)) this.#remove(key, row);
    let next = this.#list.firstElementChild;
    for (const item of items) {
      const row = this.#rows.get(keyOf(item)) ?? this.#add(item);
      row.update(item);
      if (row.element === next) next = next.nextElementSibling;
      else this.#list.insertBefore(row.element, next);
    }
  }

  #add(item) {
    const row = new Row(this, this.#inbox, this.#renderItem);
    this.#rows.set(keyOf(item), row);
    return row;
  }

  #remove(key, row) {
    const near = row.element.nextElementSibling ?? row.element.previousElementSibling;
    const hadFocus = row.element.contains(this.shadowRoot.activeElement);
    row.remove();
    this.#rows.delete(key);
    if (hadFocus) (near?.querySelector("button, a") ?? this.#heading).focus();
  }
}

/** One item. Its content is a slot, so that the page may put an element of its own there. */
class Row {
  #host;
  #inbox;
  #renderItem;
  #item = null;
  #own = null; // the page's element
  #parts = null;
  #slot = h("slot", { name: `item-${(lastSlot += 1)}` });
  element = h("li", { part: "item" }, this.#slot);

  constructor(host, inbox, renderItem) {
    this.#host = host;
    this.#inbox = inbox;
    this.#renderItem = renderItem;
  }

  update(item) {
    if (item === this.#item) return;
    const before = this.#item;
    this.#item = item;
    this.element.part = item.read ? "item" : "item unread";
    Object.assign(this.element.dataset, { eventId: item.event_id, priority: item.priority, read: item.read });
    if (this.#renderItem) return this.#showOwn(item);
    if (!this.#parts) this.#build(item);
    else if (before.acknowledged !== item.acknowledged) this.#showActions(item);
    this.#parts.unread.hidden = item.read;
    this.refresh();
  }

  refresh() {
    if (this.#parts) setText(this.#parts.time, ageOf(this.#item.timestamp, Date.now(), this.#host.locale));
  }

  remove() {
    this.element.remove();
    this.#own?.remove();
  }

  #showOwn(item) {
    const own = this.#renderItem(item, this.#inbox);
    if (own === this.#own) return;
    own.slot = this.#slot.name;
    if (this.#own) this.#own.replaceWith(own);
    else this.#host.append(own);
    this.#own = own;
  }

  #build(item) {
    const { texts, locale } = this.#host;
    const title = titleOf(item);
    const at = new Date(item.timestamp);
    const unread = h("span", { class: "dot", role: "img", "aria-label": texts.unread });
    const badge = item.priority === "CRITICAL" ? h("span", { part: "badge" }, texts.CRITICAL) : null;
    const time = h("time", { part: "time", datetime: at.toISOString(), title: at.toLocaleString(locale) });
    const open = linked(item.url, "button", { part: "title", class: "title plain", type: item.url ? null : "button",
      onclick: (event) => this.#open(event) }, title);
    const archive = h("button", { type: "button", part: "archive", class: "plain", "aria-label": `${texts.archive}: ${title}`,
      title: texts.archive, onclick: () => this.#inbox.archive([this.#item]) }, icon(ARCHIVE));
    const actions = h("div", {});
    this.#parts = { unread, time, actions };
    this.#slot.append(h("div", { class: "head" }, unread, badge, open, time, archive));
    this.#slot.append(...[bodyOf(item), imageOf(item), actions].filter(Boolean));
    this.#showActions(item);
  }

  #showActions(item) {
    const hadFocus = this.#parts.actions.contains(this.#host.shadowRoot.activeElement);
    const actions = actionsOf(item, {
      label: this.#host.texts.acknowledge,
      onAcknowledge: () => this.#inbox.acknowledge(this.#item),
    });
    this.#parts.actions.replaceChildren(...(actions ? [actions] : []));
    if (hadFocus) this.#slot.querySelector(".title").focus();
  }

  /** A page may handle the opening itself: "item-open" can be prevented. */
  #open(event) {
    this.#inbox.read([this.#item]);
    const detail = { item: this.#item };
    if (!this.#host.dispatchEvent(new CustomEvent("item-open", { detail, cancelable: true }))) event.preventDefault();
  }
}
