// The inbox: what the person has, what is unread, and telling the server what they did with it.
//
// Frames change it at once; a snapshot from the API settles it. Numbers that the server gives (unread, seq)
// are right as of their seq, so only events after that seq are counted on top.

import { reconcile, setText } from "./dom.js";
import { refreshAges, renderItem } from "./inbox-item.js";

const PATH = "/api/v1/users/me/inbox?limit=30";
const MAX_PAGES_AT_ONCE = 20;
const KNOWN_FRAMES = 2_000;

export class Inbox extends EventTarget {
  #api;
  #client;
  #items = new Map();
  #archived = new Set();
  #framed = new Set(); // ids that came as a frame: a repeated one is not news
  #unread = 0;
  #seq = 0;
  #epoch = null;
  #nextBefore = null;
  #snapshot = null;
  #snapshotAgain = false;
  #list = document.getElementById("inbox-list");
  #older = document.getElementById("load-older");

  /** `client` is told what the person does. "change" is dispatched with {unread}, "problem" with an error. */
  constructor(api, client) {
    super();
    this.#api = api;
    this.#client = client;
    this.#older.addEventListener("click", () => this.#guarded(() => this.#loadOlder()));
    document.getElementById("mark-all-read").addEventListener("click", () => this.#guarded(() => this.#readAll()));
    setInterval(() => refreshAges(this.#list, Date.now()), 5_000);
  }

  /** Take a `ready` frame: its numbers hold, and what we may have missed is fetched. */
  ready(frame) {
    this.#unread = frame.unread ?? this.#unread; // a tab that joins another's connection is not told
    this.#seq = frame.epoch === this.#epoch ? Math.max(this.#seq, frame.seq) : frame.seq;
    if (!frame.recovered || frame.epoch !== this.#epoch) this.takeSnapshot();
    this.#render();
  }

  /** Take an `event` frame. Return whether it is news to the person at this page. */
  add(frame) {
    const { event_id: id, seq } = frame;
    const news = !this.#framed.has(id) && !this.#archived.has(id) && !this.#items.get(id)?.read;
    this.#framed.add(id);
    if (this.#framed.size > KNOWN_FRAMES) this.#framed.delete(this.#framed.values().next().value);
    if (seq === undefined) return news; // informational: shown, never kept
    if (news && !this.#items.has(id)) this.#items.set(id, { ...frame, seen: false, read: false });
    if (seq > this.#seq) this.#advance(seq);
    this.#render();
    return news;
  }

  #advance(seq) {
    if (this.#seq && seq > this.#seq + 1) this.takeSnapshot(); // some went past this page
    this.#seq = seq;
    this.#unread += 1;
  }

  /** Take a mirror frame: the person did this on another of their pages. */
  mirror(type, ids) {
    if (type === "event.seen") return ids.forEach((id) => this.#mark(id, "seen"));
    if (ids.some((id) => !this.#items.has(id) && !this.#archived.has(id))) this.takeSnapshot();
    if (type === "event.read") ids.forEach((id) => this.#mark(id, "read"));
    if (type === "event.archived") ids.forEach((id) => this.#drop(id));
    this.#render();
  }

  /** The person looks at the inbox. */
  see() {
    const ids = [...this.#items.values()].filter((item) => !item.seen).map((item) => item.event_id);
    ids.forEach((id) => this.#mark(id, "seen"));
    this.#client.seen(ids);
  }

  /** Fetch the newest page. Calls while one is under way are answered by one more. */
  takeSnapshot() {
    this.#snapshotAgain = true;
    this.#snapshot ??= this.#guarded(async () => {
      while (this.#snapshotAgain) {
        this.#snapshotAgain = false;
        this.#settle(await this.#api.get(PATH));
      }
    }).finally(() => (this.#snapshot = null));
    return this.#snapshot;
  }

  #settle(page) {
    const before = this.#items;
    const newer = [...before.values()].filter((item) => page.epoch === this.#epoch && item.seq > page.seq);
    this.#items = new Map(newer.map((item) => [item.event_id, item]));
    this.#nextBefore = page.next_before;
    this.#take(page.items, before);
    this.#seq = Math.max(page.seq, ...newer.map((item) => item.seq));
    const doneHere = page.items.filter((item) => !item.read && !this.#isUnread(item.event_id)).length;
    this.#unread = Math.max(0, page.unread - doneHere) + newer.filter((item) => !item.read).length;
    this.#epoch = page.epoch;
    this.#render();
    this.dispatchEvent(new CustomEvent("snapshot", { detail: page.items }));
  }

  /** What was done here a moment ago may not have reached the server when it answered: it stays done. */
  #take(items, before = this.#items) {
    for (const item of items) {
      if (this.#archived.has(item.event_id)) continue;
      const known = before.get(item.event_id);
      this.#items.set(item.event_id, { ...item, read: item.read || !!known?.read, seen: item.seen || !!known?.seen });
    }
  }

  #isUnread(id) {
    return this.#items.get(id)?.read === false;
  }

  async #loadOlder() {
    const page = await this.#api.get(`${PATH}&before=${this.#nextBefore}`);
    this.#nextBefore = page.next_before;
    this.#take(page.items);
    this.#render();
  }

  #read(id) {
    if (!this.#mark(id, "read")) return;
    this.#client.read([id]);
    this.#render();
  }

  async #readAll() {
    for (let page = 0; page < MAX_PAGES_AT_ONCE; page += 1) {
      const ids = [...this.#items.values()].filter((item) => !item.read).map((item) => item.event_id);
      ids.forEach((id) => this.#mark(id, "read"));
      this.#client.read(ids);
      this.#render();
      if (!this.#unread || this.#nextBefore === null) return;
      await this.#loadOlder(); // unread ones may lie further back than what is loaded
    }
  }

  #archive(id) {
    const row = this.#list.querySelector(`[data-event-id="${CSS.escape(id)}"]`);
    const neighbour = row?.nextElementSibling ?? row?.previousElementSibling;
    this.#drop(id);
    this.#client.archive([id]);
    this.#render();
    neighbour?.querySelector(".item-archive").focus(); // the keyboard stays in the list
  }

  #drop(id) {
    this.#mark(id, "read");
    this.#items.delete(id);
    this.#archived.add(id);
  }

  #mark(id, what) {
    const item = this.#items.get(id);
    if (!item || item[what]) return false;
    this.#items.set(id, { ...item, [what]: true, seen: true });
    if (what === "read") this.#unread = Math.max(0, this.#unread - 1);
    return true;
  }

  #render() {
    const items = [...this.#items.values()].sort((a, b) => b.seq - a.seq);
    const handlers = { onRead: (id) => this.#read(id), onArchive: (id) => this.#archive(id) };
    reconcile(this.#list, items, { key: (item) => item.event_id, render: (item) => renderItem(item, handlers) });
    refreshAges(this.#list, Date.now());
    document.getElementById("inbox-empty").hidden = items.length > 0;
    this.#older.hidden = this.#nextBefore === null;
    document.getElementById("mark-all-read").disabled = this.#unread === 0;
    setText(document.getElementById("inbox-note"), this.#unread ? `${this.#unread} unread` : "");
    this.dispatchEvent(new CustomEvent("change", { detail: { unread: this.#unread } }));
  }

  async #guarded(what) {
    try {
      await what();
    } catch (error) {
      this.dispatchEvent(new CustomEvent("problem", { detail: error }));
    }
  }
}
