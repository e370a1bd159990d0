// Keeps a server-rendered page up to date: its forms are sent, and its parts replaced, without a reload.
//
// The server renders every part; nothing here builds one. An element with `data-live` and an id is replaced by
// the one of the same id in a newer version of the page. With `data-live="items"` its children are matched by
// their ids, so that those that have not changed, and those of older pages, stay as they are.

const DEBOUNCE_MS = 100;
const TIMEOUT_MS = 30_000; // a test message may wait for its provider

export class LivePage extends EventTarget {
  #main = document.getElementById("main");
  #timer = 0;
  #busy = Promise.resolve();

  /** "problem" is dispatched when the server cannot be reached, "change" after parts were replaced. */
  constructor() {
    super();
    this.#main.addEventListener("submit", (event) => this.#onSubmit(event));
    this.#main.addEventListener("change", ({ target }) => target.dataset?.submits !== undefined && target.form.requestSubmit());
  }

  /** Fetch the page again soon; several calls within the debounce time cause one request. */
  soon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.refresh(), DEBOUNCE_MS);
  }

  refresh() {
    return this.#next(async () => this.#replaceParts(await this.#fetched(this.#address())));
  }

  /** Add the items of the page behind a link to the list, and replace the link by that page's. */
  more(link) {
    return this.#next(async () => {
      const page = await this.#fetched(link.href);
      const list = this.#list();
      for (const item of page?.querySelectorAll("[data-live=items] > [id]") ?? []) {
        if (!document.getElementById(item.id)) list.append(document.adoptNode(item));
      }
      if (page) document.getElementById("older").replaceWith(page.getElementById("older"));
      this.dispatchEvent(new Event("change"));
    });
  }

  get count() {
    return this.#list()?.childElementCount ?? 0;
  }

  #list() {
    return document.querySelector("[data-live=items]");
  }

  /** One request after the other: an older answer must not replace a newer one. */
  #next(what) {
    this.#busy = this.#busy.then(what).catch((error) => this.dispatchEvent(new CustomEvent("problem", { detail: error })));
    return this.#busy;
  }

  /** The page, with as many items as it has now. */
  #address() {
    const url = new URL(location.href);
    url.hash = "";
    if (this.#list()) url.searchParams.set("count", Math.max(this.count, 30));
    return url.href;
  }

  async #fetched(url, form) {
    const answer = await fetch(url, {
      method: form ? "POST" : "GET",
      body: form,
      headers: { Accept: "text/html" },
      credentials: "same-origin",
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const asked = new URL(url).pathname;
    if (answer.redirected && new URL(answer.url).pathname !== asked) {
      location.assign(answer.url); // signed out, or another page follows
      return null;
    }
    if (!answer.ok) throw new Error(await answer.text());
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  }

  #onSubmit(event) {
    const { target: form, submitter } = event;
    if (form.method !== "post" || "reloads" in form.dataset) return;
    event.preventDefault();
    if (form.ariaBusy === "true") return;
    form.ariaBusy = "true";
    const sent = new FormData(form, submitter);
    this.#next(async () => {
      try {
        this.#replaceMain(await this.#fetched(this.#address(), sent));
      } finally {
        form.ariaBusy = null;
      }
    });
  }

  /** Show the page that answers a form: the person has changed something, so everything may be different. */
  #replaceMain(page) {
    if (!page) return;
    const focus = new Focus(this.#main);
    const fresh = page.getElementById("main");
    const list = this.#list();
    const freshList = fresh.querySelector("[data-live=items]");
    if (list && freshList) {
      matchItems(list, freshList);
      freshList.replaceWith(list);
      const older = fresh.querySelector("#older");
      if (this.count > freshList.childElementCount) older.replaceWith(document.getElementById("older"));
    }
    this.#main.replaceChildren(...fresh.childNodes);
    this.#replaceOutside(page);
    focus.restore();
    this.dispatchEvent(new Event("change"));
  }

  #replaceParts(page) {
    if (!page) return;
    const focus = new Focus(this.#main);
    for (const part of document.querySelectorAll("[data-live][id]")) {
      const fresh = page.getElementById(part.id);
      if (!fresh || fresh.isEqualNode(part)) continue;
      if (part.dataset.live === "items") matchItems(part, fresh);
      else part.replaceWith(document.adoptNode(fresh));
    }
    focus.restore();
    this.dispatchEvent(new Event("change"));
  }

  #replaceOutside(page) {
    for (const part of document.querySelectorAll("nav [data-live][id]")) {
      const fresh = page.getElementById(part.id);
      if (fresh) part.replaceWith(document.adoptNode(fresh));
    }
  }
}

/** Make the items of `list` those of `fresh`; older ones than the oldest there stay as they are. */
function matchItems(list, fresh) {
  const oldest = Number(fresh.lastElementChild?.dataset.seq ?? 0);
  const wanted = new Map([...fresh.children].map((item) => [item.id, item]));
  const isFull = fresh.childElementCount >= 30;
  for (const item of [...list.children]) {
    if (!wanted.has(item.id) && (!isFull || Number(item.dataset.seq) >= oldest)) item.remove();
  }
  let cursor = list.firstElementChild;
  for (const item of wanted.values()) {
    const known = document.getElementById(item.id);
    if (known && known.parentElement === list && withoutTokens(known) === withoutTokens(item)) {
      if (known === cursor) cursor = cursor.nextElementSibling;
      else list.insertBefore(known, cursor);
      continue;
    }
    if (known === cursor && known) cursor = known.nextElementSibling;
    known?.remove();
    list.insertBefore(document.adoptNode(item), cursor);
  }
}

/** The token of a form differs in every answer, and both are valid. */
function withoutTokens(item) {
  return item.innerHTML.replaceAll(/name="csrfmiddlewaretoken" value="[^"]*"/g, "");
}

/** Where the keyboard focus was: kept by the element's id, else at the same place among those left. */
class Focus {
  #root;
  #id;
  #place;

  constructor(root) {
    const active = document.activeElement;
    this.#root = root;
    this.#id = root.contains(active) ? active.id : null;
    this.#place = this.#id === null ? -1 : focusable(root).indexOf(active);
  }

  restore() {
    if (this.#place < 0 || this.#root.contains(document.activeElement)) return;
    const same = this.#id && document.getElementById(this.#id);
    const left = focusable(this.#root);
    const next = same || left[Math.min(this.#place, left.length - 1)] || document.getElementById("heading");
    next.focus({ preventScroll: true });
  }
}

function focusable(root) {
  return [...root.querySelectorAll("a[href], button:not(:disabled), input:not([type=hidden]), select")];
}
