// The inbox: its items and unread count, and the frames that report the person's actions to the server.
//
// Frames change it at once; a snapshot from the API replaces it. The server's numbers (unread, seq) are valid
// as of their seq, so only later events are added to them.

import { reconcile, setText } from "./dom.js";
import { refreshAges, renderItem } from "./inbox-item.js";
import { keyOf } from "../tocsin/naming.js";

const PATH = "/api/v1/users/me/inbox?limit=30";
const MAX_PAGES_AT_ONCE = 20;
const KNOWN_FRAMES = 2_000;

export class Inbox extends EventTarget {
  #api;
  #client;
  #items = new Map(); // by `keyOf`
  #archived = new Set();
  #framed = new Set(); // keys of events that arrived as a frame: a repeated one is not new
  #unread = 0;
  #seq = 0;
  #epoch = null;
  #nextBefore = null;
  #snapshot = null;
  #snapshotAgain = false;
  #list = document.getElementById("inbox-list");
  #older = document.getElementById("load-older");

  /** `client` sends the person's actions. "change" is dispatched with {unread}, "problem" with an error. */
  constructor(api, client) {
    super();
    this.#api = api;
    this.#client = client;
    this.#older.addEventListener("click", () => this.#reportErrors(() => this.#loadOlder()));
    document.getElementById("mark-all-read").addEventListener("click", () => this.#reportErrors(() => this.#readAll()));
    setInterval(() => refreshAges(this.#list, Date.now()), 5_000);
  }

  /** Handle a `ready` frame: use its numbers, and fetch the items that may have been missed. */
  ready(frame) {
    this.#unread = frame.unread ?? this.#unread; // missing in a tab that joins another tab's connection
    this.#seq = frame.epoch === this.#epoch ? Math.max(this.#seq, frame.seq) : frame.seq;
    if (!frame.recovered || frame.epoch !== this.#epoch) this.takeSnapshot();
    this.#render();
  }

  /** Handle an `event` frame. Return whether the event is new on this page. */
  add(frame) {
    const { seq } = frame;
    const key = keyOf(frame);
    const isNew = !this.#framed.has(key) && !this.#archived.has(key) && !this.#items.get(key)?.read;
    this.#framed.add(key);
    if (this.#framed.size > KNOWN_FRAMES) this.#framed.delete(this.#framed.values().next().value);
    if (seq === undefined) return isNew; // INFORMATIONAL: shown, not kept
    if (isNew && !this.#items.has(key)) this.#items.set(key, { ...frame, seen: false, read: false });
    if (seq > this.#seq) this.#advance(seq);
    this.#render();
    return isNew;
  }

  #advance(seq) {
    if (this.#seq && seq > this.#seq + 1) this.takeSnapshot(); // this page has missed some
    this.#seq = seq;
    this.#unread += 1;
  }

  /** Handle a mirror frame: an action of the person on another page. */
  mirror(type, keys) {
    if (type === "event.seen") return keys.forEach((key) => this.#mark(key, "seen"));
    if (keys.some((key) => !this.#items.has(key) && !this.#archived.has(key))) this.takeSnapshot();
    if (type === "event.read") keys.forEach((key) => this.#mark(key, "read"));
    if (type === "event.archived") keys.forEach((key) => this.#drop(key));
    if (type === "event.acknowledged") keys.forEach((key) => this.#markAcknowledged(key));
    this.#render();
  }

  /** Acknowledge an event: the person has pressed its button. */
  acknowledge(event) {
    this.#client.acknowledge(event);
    this.#markAcknowledged(keyOf(event));
    this.#render();
  }

  #markAcknowledged(key) {
    this.#mark(key, "read");
    this.#mark(key, "acknowledged");
  }

  /** Mark all items as seen: the person has opened the inbox. */
  see() {
    const items = [...this.#items.values()].filter((item) => !item.seen);
    items.forEach((item) => this.#mark(keyOf(item), "seen"));
    this.#client.seen(items);
  }

  /** Fetch the newest page. Calls during a running request cause one further request. */
  takeSnapshot() {
    this.#snapshotAgain = true;
    this.#snapshot ??= this.#reportErrors(async () => {
      while (this.#snapshotAgain) {
        this.#snapshotAgain = false;
        this.#applySnapshot(await this.#api.get(PATH));
      }
    }).finally(() => (this.#snapshot = null));
    return this.#snapshot;
  }

  #applySnapshot(page) {
    const before = this.#items;
    const newer = [...before.values()].filter((item) => page.epoch === this.#epoch && item.seq > page.seq);
    this.#items = new Map(newer.map((item) => [keyOf(item), item]));
    this.#nextBefore = page.next_before;
    this.#merge(page.items, before);
    this.#seq = Math.max(page.seq, ...newer.map((item) => item.seq));
    const doneHere = page.items.filter((item) => !item.read && !this.#isUnread(keyOf(item))).length;
    this.#unread = Math.max(0, page.unread - doneHere) + newer.filter((item) => !item.read).length;
    this.#epoch = page.epoch;
    this.#render();
    this.dispatchEvent(new CustomEvent("snapshot", { detail: page.items }));
  }

  /** Merge items. Actions that the server had not received yet when it answered are kept. */
  #merge(items, before = this.#items) {
    for (const item of items) {
      const key = keyOf(item);
      if (this.#archived.has(key)) continue;
      const known = before.get(key);
      const { read, seen, acknowledged } = known ?? {};
      const done = { read: item.read || !!read, seen: item.seen || !!seen, acknowledged: item.acknowledged || !!acknowledged };
      this.#items.set(key, { ...item, ...done });
    }
  }

  #isUnread(key) {
    return this.#items.get(key)?.read === false;
  }

  async #loadOlder() {
    const page = await this.#api.get(`${PATH}&before=${this.#nextBefore}`);
    this.#nextBefore = page.next_before;
    this.#merge(page.items);
    this.#render();
  }

  #read(item) {
    if (!this.#mark(keyOf(item), "read")) return;
    this.#client.read([item]);
    this.#render();
  }

  async #readAll() {
    for (let page = 0; page < MAX_PAGES_AT_ONCE; page += 1) {
      const items = [...this.#items.values()].filter((item) => !item.read);
      items.forEach((item) => this.#mark(keyOf(item), "read"));
      this.#client.read(items);
      this.#render();
      if (!this.#unread || this.#nextBefore === null) return;
      await this.#loadOlder(); // there may be unread items that are not loaded yet
    }
  }

  #archive(item, row) {
    const neighbour = row.nextElementSibling ?? row.previousElementSibling;
    this.#drop(keyOf(item));
    this.#client.archive([item]);
    this.#render();
    neighbour?.querySelector(".item-archive").focus(); // keep the keyboard focus in the list
  }

  #drop(key) {
    this.#mark(key, "read");
    this.#items.delete(key);
    this.#archived.add(key);
  }

  #mark(key, what) {
    const item = this.#items.get(key);
    if (!item || item[what]) return false;
    this.#items.set(key, { ...item, [what]: true, seen: true });
    if (what === "read") this.#unread = Math.max(0, this.#unread - 1);
    return true;
  }

  #render() {
    const items = [...this.#items.values()].sort((a, b) => b.seq - a.seq);
    const handlers = {
      onRead: (item) => this.#read(item),
      onArchive: (item, row) => this.#archive(item, row),
      onAcknowledge: (item) => this.acknowledge(item),
    };
    reconcile(this.#list, items, { key: keyOf, render: (item) => renderItem(item, handlers) });
    refreshAges(this.#list, Date.now());
    document.getElementById("inbox-empty").hidden = items.length > 0;
    this.#older.hidden = this.#nextBefore === null;
    document.getElementById("mark-all-read").disabled = this.#unread === 0;
    setText(document.getElementById("inbox-note"), this.#unread ? `${this.#unread} unread` : "");
    this.dispatchEvent(new CustomEvent("change", { detail: { unread: this.#unread } }));
  }

  async #reportErrors(what) {
    try {
      await what();
    } catch (error) {
      this.dispatchEvent(new CustomEvent("problem", { detail: error }));
    }
  }
}
