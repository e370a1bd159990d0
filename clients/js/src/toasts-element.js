// <tocsin-toasts>: short notices in a corner. CRITICAL ones stay until the person has dealt with them.

import { h, icon, setText } from "./dom.js";
import { TocsinElement } from "./element.js";
import { keyOf } from "./naming.js";
import { CLOSE, TOASTS } from "./style.js";
import { actionsOf, bodyOf, imageOf, linked, titleOf } from "./words.js";

const SHOWN_FOR_MS = 6_000;
const LEAST_MS = 1_000;
const SHOWN_AT_ONCE = 4;
const ENDED = ["event.read", "event.archived", "event.acknowledged"];

export class TocsinToasts extends TocsinElement {
  #inbox = null;
  #shown = [];
  #waiting = [];
  #urgent = h("div", { role: "alert", part: "stack" });
  #polite = h("div", { role: "status", part: "stack" });
  #more = h("p", { part: "more", role: "status", hidden: true });
  #region = h("section", { part: "toasts" }, this.#urgent, this.#polite, this.#more);
  #onVisibility = () => this.#each(document.hidden ? "pause" : "run");

  constructor() {
    super(TOASTS);
    this.shadowRoot.append(this.#region);
    // Nothing disappears while the pointer or the focus is on a toast, or nobody can see it (WCAG 2.2.1).
    for (const type of ["pointerenter", "focusin"]) this.#region.addEventListener(type, () => this.#each("pause"));
    for (const type of ["pointerleave", "focusout"]) this.#region.addEventListener(type, () => this.#each("run"));
    this.#region.addEventListener("keydown", (event) => event.key === "Escape" && this.#dismissFocused());
  }

  setTexts(texts) {
    this.#region.setAttribute("aria-label", texts.inbox);
  }

  follow({ inbox, on }) {
    this.#inbox = inbox;
    on("event", (frame) => frame.silent || inbox.hasRead(frame) || this.#add(frame));
    for (const type of ENDED) on(type, ({ source, event_ids: ids }) => this.#end(ids.map((id) => keyOf({ source, event_id: id }))));
    document.addEventListener("visibilitychange", this.#onVisibility);
  }

  unfollow() {
    document.removeEventListener("visibilitychange", this.#onVisibility);
    this.#waiting = [];
    for (const toast of [...this.#shown]) this.#drop(toast);
    this.#fill();
  }

  /** The person has dealt with these events, here or elsewhere. */
  #end(keys) {
    this.#waiting = this.#waiting.filter((frame) => !keys.includes(keyOf(frame)));
    for (const toast of this.#shown.filter(({ key }) => keys.includes(key))) this.#drop(toast);
    this.#fill();
  }

  #add(frame) {
    const key = keyOf(frame);
    if (this.#shown.some((toast) => toast.key === key)) return;
    if (frame.priority === "CRITICAL" && this.#shown.length >= SHOWN_AT_ONCE) {
      const ordinary = this.#shown.find(({ stays }) => !stays);
      if (ordinary) this.#drop(ordinary);
    }
    this.#waiting.push(frame);
    this.#fill();
  }

  #fill() {
    while (this.#shown.length < SHOWN_AT_ONCE && this.#waiting.length) {
      const urgent = this.#waiting.findIndex(({ priority }) => priority === "CRITICAL");
      this.#show(this.#waiting.splice(Math.max(0, urgent), 1)[0]);
    }
    const count = this.#waiting.length;
    this.#more.hidden = count === 0;
    setText(this.#more, count ? this.texts.waiting(count) : "");
  }

  #show(frame) {
    const stays = frame.priority === "CRITICAL";
    const toast = new Toast(keyOf(frame), stays, () => this.#dismiss(toast));
    toast.element = this.#render(frame, toast);
    this.#shown.push(toast);
    (stays ? this.#urgent : this.#polite).prepend(toast.element);
    if (!document.hidden && !this.#region.matches(":hover, :focus-within")) toast.run();
  }

  #render(frame, toast) {
    const { texts } = this;
    const title = titleOf(frame);
    const read = () => this.#inbox.read([frame]);
    const acknowledge = () => {
      this.#inbox.acknowledge(frame);
      this.#dismiss(toast);
    };
    const close = h("button", { type: "button", part: "dismiss", class: "plain", "aria-label": `${texts.dismiss}: ${title}`,
      onclick: toast.onEnd }, icon(CLOSE));
    return h(
      "article",
      { part: `toast ${frame.priority.toLowerCase()}`, "data-event-id": frame.event_id, "data-priority": frame.priority },
      h("div", { class: "head" }, toast.stays ? h("span", { part: "badge" }, texts.CRITICAL) : null,
        linked(frame.url, "strong", { part: "title", class: "title", onclick: read }, title), close),
      bodyOf(frame),
      imageOf(frame),
      actionsOf(frame, { label: texts.acknowledge, onAcknowledge: acknowledge }),
    );
  }

  #dismiss(toast) {
    this.#drop(toast);
    this.#fill();
  }

  #drop(toast) {
    toast.pause();
    this.#shown = this.#shown.filter((other) => other !== toast);
    const hadFocus = toast.element.contains(this.shadowRoot.activeElement);
    toast.element.remove();
    // Else the keyboard would be back at the top of the page.
    if (hadFocus) this.#shown.at(-1)?.element.querySelector("button").focus();
  }

  #dismissFocused() {
    const toast = this.#shown.find(({ element }) => element.contains(this.shadowRoot.activeElement));
    if (toast) this.#dismiss(toast);
  }

  #each(what) {
    for (const toast of this.#shown) toast[what]();
  }
}

/** A notice, with the time that it is still shown for. */
class Toast {
  #leftMs = SHOWN_FOR_MS;
  #since = 0;
  #timer = 0;

  constructor(key, stays, onEnd) {
    Object.assign(this, { key, stays, onEnd });
  }

  run() {
    if (this.stays || this.#timer) return;
    this.#since = Date.now();
    this.#timer = setTimeout(this.onEnd, this.#leftMs);
  }

  pause() {
    if (!this.#timer) return;
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#leftMs = Math.max(LEAST_MS, this.#leftMs - (Date.now() - this.#since));
  }
}
