// The person's inbox on a page, without a view: its items, its unread count, and the person's actions.
//
// A page of the server is valid as of its `seq`; events and marks that come later are added to it. What the person
// did here counts at once, also while the server has not heard of it.

import { keyOf } from "./naming.js";

const PAGES_AT_ONCE = 20;
const FINAL = { "event.read": "read", "event.archived": "archived", "event.acknowledged": "acknowledged" };
const inboxes = new WeakMap();

/** Return the inbox of a client: all parts of a page show the same one. */
export function inboxOf(client) {
  if (!inboxes.has(client)) inboxes.set(client, new Inbox(client));
  return inboxes.get(client);
}

/** Dispatches "change" whenever `view` is another one. */
class Inbox extends EventTarget {
  #client;
  #items = new Map(); // by `keyOf`
  #marked = new Map(); // what the person did here and the server has not repeated yet
  #base = { unread: 0, seq: 0, epoch: null }; // the server's numbers
  #nextBefore = null;
  #loaded = false;
  #asking = false;
  #askAgain = false;
  #pagesToRead = 0;
  #view = null;

  constructor(client) {
    super();
    this.#client = client;
    client.on("inbox.page", (page) => this.#take(page));
    client.on("event", (frame) => this.#add(frame));
    client.on("snapshot", () => {}); // the first page has it too
    client.on("ready", () => client.firstItems || this.refresh());
    client.on("state", () => this.#changed());
    client.on("event.seen", (frame) => this.#mirror(frame, "seen"));
    for (const [type, what] of Object.entries(FINAL)) client.on(type, (frame) => this.#mirror(frame, what));
    if (client.state === "live") this.refresh();
  }

  /** {items, unread, hasOlder, loaded, state}: the same object until something changes. */
  get view() {
    this.#view ??= Object.freeze({
      items: [...this.#items.values()].sort((a, b) => b.seq - a.seq),
      unread: this.#unread,
      hasOlder: this.#nextBefore !== null,
      loaded: this.#loaded,
      state: this.#client.state,
    });
    return this.#view;
  }

  /** Whether the person has read the event, here or elsewhere. */
  hasRead(event) {
    return this.#items.get(keyOf(event))?.read ?? this.#marked.has(keyOf(event));
  }

  /** Ask for the newest page. Calls while one is on its way cause one further request. */
  refresh() {
    if (this.#asking) return void (this.#askAgain = true);
    this.#asking = true;
    this.#client.inbox();
  }

  older() {
    if (this.#nextBefore !== null) this.#client.inbox({ before: this.#nextBefore });
  }

  /** The person has seen all that is shown. */
  seen() {
    const items = [...this.#items.values()].filter((item) => !item.seen);
    if (!items.length) return;
    for (const item of items) this.#mark(keyOf(item), "seen");
    this.#client.seen(items);
    this.#changed();
  }

  read(items) {
    const unread = items.filter((item) => this.#items.get(keyOf(item))?.read === false);
    this.#act(unread, "read");
    if (unread.length) this.#client.read(unread);
  }

  /** Mark all as read, also what is on older pages. */
  readAll() {
    this.#pagesToRead = PAGES_AT_ONCE;
    this.#readLoaded();
  }

  archive(items) {
    this.#act(items, "archived");
    this.#client.archive(items);
  }

  /** The person has acknowledged the event by its button: evidence HUMAN. */
  acknowledge(event) {
    this.#act([event], "acknowledged");
    this.#client.acknowledge(event);
  }

  get #unread() {
    const newer = [...this.#items.values()].filter((item) => item.seq > this.#base.seq && !item.read);
    return Math.max(0, this.#base.unread) + newer.length;
  }

  #act(items, what) {
    for (const item of items) {
      this.#marked.set(keyOf(item), what);
      this.#mark(keyOf(item), what);
    }
    this.#changed();
  }

  #readLoaded() {
    this.read([...this.#items.values()]);
    const goOn = this.#unread > 0 && this.#nextBefore !== null && this.#pagesToRead > 1;
    this.#pagesToRead = goOn ? this.#pagesToRead - 1 : 0;
    if (goOn) this.older();
  }

  // --- from the server ------------------------------------------------------------------------------------
  #take(page) {
    const isFirst = page.before === null;
    if (!isFirst && page.before !== this.#nextBefore) return; // another tab has asked for it
    if (isFirst) this.#begin(page);
    this.#nextBefore = page.next_before;
    for (const item of page.items) this.#merge(item);
    this.#client.shown(page.items.filter(({ state }) => state === "accepted"));
    if (this.#pagesToRead && !isFirst) this.#readLoaded();
    this.#changed();
  }

  #begin({ unread, seq, epoch }) {
    const isNewer = (item) => epoch === this.#base.epoch && item.seq > seq;
    this.#items = new Map([...this.#items].filter(([, item]) => isNewer(item)));
    this.#base = { unread, seq, epoch };
    this.#loaded = true;
    this.#asking = false;
    if (this.#askAgain) {
      this.#askAgain = false;
      this.refresh();
    }
  }

  #merge(item) {
    const key = keyOf(item);
    this.#items.set(key, item);
    const marked = this.#marked.get(key);
    if (marked) this.#mark(key, marked);
  }

  #add(frame) {
    const key = keyOf(frame);
    if (frame.seq === undefined || this.#items.has(key) || this.#marked.get(key) === "archived") return;
    const isOlder = frame.repeat && this.#nextBefore !== null && frame.seq < this.#nextBefore;
    if (!isOlder) this.#items.set(key, { ...frame, seen: false, read: false, acknowledged: false });
    this.#changed();
  }

  #mirror({ source, event_ids: ids }, what) {
    for (const id of ids) {
      const key = keyOf({ source, event_id: id });
      const isOurs = this.#marked.get(key) === what;
      if (isOurs && what !== "archived") this.#marked.delete(key); // a page may still bring what is archived
      // It may be unread and on a page that is not loaded: only the server knows the count.
      if (!this.#mark(key, what) && !isOurs && what !== "seen") this.refresh();
    }
    this.#changed();
  }

  /** Return whether the item is here. */
  #mark(key, what) {
    const item = this.#items.get(key);
    if (!item) return false;
    const read = item.read || what !== "seen";
    if (read && !item.read && item.seq <= this.#base.seq) this.#base.unread -= 1;
    if (what === "archived") this.#items.delete(key);
    else this.#items.set(key, { ...item, seen: true, read, acknowledged: item.acknowledged || what === "acknowledged" });
    return true;
  }

  #changed() {
    this.#view = null;
    this.dispatchEvent(new Event("change"));
  }
}
