// The bell and the panel that it opens. On a narrow screen the panel is a drawer, else a part of the page.

import { setText } from "./dom.js";

const MAX_COUNT = 99;

export class InboxPanel {
  #bell = document.getElementById("bell");
  #count = document.getElementById("unread-count");
  #panel = document.getElementById("inbox");
  #onOpen;

  constructor({ onOpen }) {
    this.#onOpen = onOpen;
    this.#bell.addEventListener("click", () => this.#open());
    document.getElementById("inbox-close").addEventListener("click", () => this.#close());
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.#close());
    document.addEventListener("pointerdown", (event) => this.#closeFromOutside(event.target));
    this.#panel.addEventListener("animationend", () => this.#panel.classList.remove("is-called"));
  }

  showUnread(unread) {
    const shown = unread > MAX_COUNT ? `${MAX_COUNT}+` : String(unread);
    setText(this.#count, shown);
    this.#count.dataset.count = unread;
    this.#bell.setAttribute("aria-label", unread ? `Inbox, ${unread} unread` : "Inbox, nothing unread");
    document.title = unread ? `(${shown}) Tocsin` : "Tocsin";
  }

  #open() {
    this.#panel.classList.add("is-open", "is-called");
    this.#panel.scrollIntoView({ block: "nearest" });
    this.#panel.querySelector(".panel-scroll").scrollTop = 0;
    document.getElementById("inbox-heading").focus({ preventScroll: true });
    this.#onOpen();
  }

  #close() {
    if (!this.#panel.classList.contains("is-open")) return;
    const hadFocus = this.#panel.contains(document.activeElement);
    this.#panel.classList.remove("is-open");
    if (hadFocus) this.#bell.focus();
  }

  #closeFromOutside(target) {
    if (!this.#panel.contains(target) && !this.#bell.contains(target)) this.#panel.classList.remove("is-open");
  }
}
