// One row of the inbox.

import { age, full, words } from "./format.js";
import { h, icon, priorityBadge, setText } from "./dom.js";

/** Return the row of an item. A click calls `onRead`, a click on its archive button `onArchive`. */
export function renderItem(item, { onRead, onArchive }) {
  const title = item.title || words(item.event_type);
  const open = h(
    "button",
    { class: "item-open", type: "button" },
    h("span", { class: "item-dot" }),
    h("span", { class: "item-title" }, item.read ? "" : h("span", { class: "visually-hidden" }, "Unread: "), title),
    h("time", { class: "item-age num", datetime: new Date(item.timestamp).toISOString(), title: full(item.timestamp) }),
    item.body ? h("span", { class: "item-body" }, item.body) : null,
    h("span", { class: "item-meta" }, priorityBadge(item.priority), h("span", { class: "type" }, item.event_type)),
  );
  open.addEventListener("click", () => onRead(item));
  const archive = h("button", { class: "icon-button item-archive", type: "button", "data-testid": "archive",
    "aria-label": `Archive: ${title}`, title: "Archive" }, icon("archive"));
  const row = h(
    "li",
    { class: "item", "data-testid": "inbox-item", "data-event-id": item.event_id, "data-priority": item.priority,
      "data-read": String(item.read) },
    open,
    archive,
  );
  archive.addEventListener("click", () => onArchive(item, row));
  return row;
}

/** Update the relative times of a list. */
export function refreshAges(list, now) {
  for (const time of list.querySelectorAll("time")) setText(time, age(Date.parse(time.dateTime), now));
}
