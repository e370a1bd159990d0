// One row of the inbox.

import { age, full, words } from "./format.js";
import { h, icon, priorityBadge, setText } from "./dom.js";
import { actionsOf, bodyOf, imageOf, isLink, linked } from "./words.js";

/**
 * Return the row of an item. A click calls `onRead`, and opens what the event links to; a click on its archive
 * button calls `onArchive`, one on a button that acknowledges `onAcknowledge`.
 */
export function renderItem(item, { onRead, onArchive, onAcknowledge }) {
  const title = item.title || words(item.event_type);
  const details = detailsOf(item, () => onAcknowledge(item));
  const open = linked(
    item.url,
    "button",
    { class: "item-open", type: isLink(item.url) ? null : "button" },
    h("span", { class: "item-dot" }),
    h("span", { class: "item-title" }, item.read ? "" : h("span", { class: "visually-hidden" }, "Unread: "), title),
    h("time", { class: "item-age num", datetime: new Date(item.timestamp).toISOString(), title: full(item.timestamp) }),
    item.body && !details ? h("span", { class: "item-body" }, item.body) : null,
    h("span", { class: "item-meta" }, priorityBadge(item.priority), h("span", { class: "type" }, item.event_type)),
  );
  open.addEventListener("click", () => onRead(item));
  const archive = h("button", { class: "icon-button item-archive", type: "button", "data-testid": "archive",
    "aria-label": `Archive: ${title}`, title: "Archive" }, icon("archive"));
  const row = h(
    "li",
    { class: "item", "data-testid": "inbox-item", "data-event-id": item.event_id, "data-priority": item.priority,
      "data-read": String(item.read) },
    details ? h("div", { class: "item-main" }, open, details) : open,
    archive,
  );
  archive.addEventListener("click", () => onArchive(item, row));
  return row;
}

/** Return what an item with links, a picture or buttons shows below its title: links cannot stand inside a button. */
function detailsOf(item, onAcknowledge) {
  const actions = actionsOf(item, onAcknowledge);
  if (!item.blocks && !item.image && !actions) return null;
  const body = bodyOf(item, { class: "item-body" });
  return h("div", { class: "item-details" }, body, imageOf(item), actions);
}

/** Update the relative times of a list. */
export function refreshAges(list, now) {
  for (const time of list.querySelectorAll("time")) setText(time, age(Date.parse(time.dateTime), now));
}
