// Toasts: short notices above the page. CRITICAL ones stay until dismissed, others disappear after 6 s.

import { clock, words } from "./format.js";
import { h, icon, priorityBadge, setText } from "./dom.js";
import { actionsOf, bodyOf, imageOf, linked } from "./words.js";
import { keyOf } from "../tocsin/naming.js";

const SHOWN_FOR_MS = 6_000;
const MAX_SHOWN = 4;

export class Toasts {
  #shown = [];
  #waiting = [];
  #critical = document.getElementById("toasts-critical");
  #polite = document.getElementById("toasts-polite");
  #more = document.getElementById("toasts-more");
  #onAcknowledge;
  #say;

  /**
   * `onAcknowledge` is called with the frame of an event that the person acknowledges by its button; `say`
   * returns a sentence in their language.
   */
  constructor({ onAcknowledge, say = (sentence) => sentence, region = document.getElementById("toasts") }) {
    this.#onAcknowledge = onAcknowledge;
    this.#say = say;
    // Timers pause while the pointer or focus is on a toast, and while the page is hidden (WCAG 2.2.1).
    region.addEventListener("pointerenter", () => this.#each("pause"));
    region.addEventListener("pointerleave", () => this.#each("run"));
    region.addEventListener("focusin", () => this.#each("pause"));
    region.addEventListener("focusout", () => this.#each("run"));
    document.addEventListener("visibilitychange", () => this.#each(document.hidden ? "pause" : "run"));
    region.addEventListener("keydown", (event) => event.key === "Escape" && this.#dismissFocused(event.target));
  }

  /** Show an `event` frame. */
  event(frame) {
    this.#add({
      key: keyOf(frame),
      id: frame.event_id,
      priority: frame.priority,
      title: frame.title || words(frame.event_type),
      body: frame.body ?? "",
      at: frame.timestamp,
      frame,
    });
  }

  /** Show that an action of the person failed. */
  error(title, body) {
    this.#add({ key: "", id: "", priority: "ERROR", title, body, at: Date.now() });
  }

  /** Remove the toasts of events that were handled on another page. */
  remove(keys) {
    const gone = new Set(keys);
    this.#waiting = this.#waiting.filter((notice) => !gone.has(notice.key));
    for (const toast of this.#shown.filter(({ notice }) => gone.has(notice.key))) this.#dismiss(toast);
    this.#fill();
  }

  #add(notice) {
    if (notice.priority === "CRITICAL") this.#makeRoom();
    this.#waiting.push(notice);
    this.#fill();
  }

  /** Make room for a CRITICAL notice: remove the oldest ordinary toast. */
  #makeRoom() {
    if (this.#shown.length < MAX_SHOWN) return;
    const ordinary = this.#shown.find(({ notice }) => notice.priority !== "CRITICAL");
    if (ordinary) this.#drop(ordinary);
  }

  #fill() {
    while (this.#shown.length < MAX_SHOWN && this.#waiting.length) {
      const critical = this.#waiting.findIndex((notice) => notice.priority === "CRITICAL");
      this.#show(this.#waiting.splice(Math.max(0, critical), 1)[0]);
    }
    const count = this.#waiting.length;
    this.#more.hidden = count === 0;
    setText(this.#more, count ? `${count} ${this.#say("more waiting")}` : "");
  }

  #show(notice) {
    const critical = notice.priority === "CRITICAL";
    const onAcknowledge = () => {
      this.#onAcknowledge(notice.frame);
      this.#dismiss(toast);
    };
    const toast = new Toast(notice, { stays: critical, onEnd: () => this.#dismiss(toast), onAcknowledge, say: this.#say });
    this.#shown.push(toast);
    (critical ? this.#critical : this.#polite).prepend(toast.element);
    if (!document.hidden) toast.run();
  }

  #dismiss(toast) {
    this.#drop(toast);
    this.#fill();
  }

  #drop(toast) {
    toast.pause();
    this.#shown = this.#shown.filter((other) => other !== toast);
    const hadFocus = toast.element.contains(document.activeElement);
    toast.element.remove();
    // Removing the focused button would move the keyboard focus to the top of the page.
    if (hadFocus) this.#shown.at(-1)?.element.querySelector("button").focus();
  }

  #dismissFocused(target) {
    const toast = this.#shown.find(({ element }) => element.contains(target));
    if (toast) this.#dismiss(toast);
  }

  #each(what) {
    for (const toast of this.#shown) toast[what]();
  }
}

class Toast {
  #leftMs = SHOWN_FOR_MS;
  #startedAt = 0;
  #timer = 0;
  #stays;
  #onEnd;
  #onAcknowledge;
  #say;

  constructor(notice, { stays, onEnd, onAcknowledge, say }) {
    this.notice = notice;
    this.#stays = stays;
    this.#onEnd = onEnd;
    this.#onAcknowledge = onAcknowledge;
    this.#say = say;
    this.element = this.#render();
  }

  run() {
    if (this.#stays || this.#timer) return;
    this.#startedAt = Date.now();
    this.#timer = setTimeout(this.#onEnd, this.#leftMs);
  }

  pause() {
    if (!this.#timer) return;
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#leftMs = Math.max(1_000, this.#leftMs - (Date.now() - this.#startedAt));
  }

  #render() {
    const { id, priority, title, body, at, frame = {} } = this.notice;
    const dismiss = this.#stays
      ? h("button", { class: "button button-small toast-dismiss", type: "button" }, this.#say("Dismiss"))
      : h("button", { class: "icon-button", type: "button", "aria-label": `${this.#say("Dismiss")}: ${title}` }, icon("close"));
    dismiss.addEventListener("click", this.#onEnd);
    return h(
      "article",
      { class: "toast", "data-testid": "toast", "data-event-id": id || null, "data-priority": priority },
      h("div", { class: "toast-head" }, priorityBadge(priority, this.#say(priority)), h("time", { class: "num" }, clock(at)), dismiss),
      h("p", { class: "toast-title" }, linked(frame.url, "span", {}, title)),
      bodyOf({ ...frame, body }, { class: "toast-body" }),
      imageOf(frame),
      actionsOf(frame, this.#onAcknowledge),
    );
  }
}
