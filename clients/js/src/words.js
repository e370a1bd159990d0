// What an event shows: title, body, picture and buttons. The server has checked every URL.

import { h } from "./dom.js";

export function isLink(url) {
  return typeof url === "string" && url.startsWith("https://");
}

/** Return `children` as a link that opens in a tab of its own; without a link to https, in an element `tag`. */
export function linked(url, tag, props, ...children) {
  if (!isLink(url)) return h(tag, props, ...children);
  return h("a", { ...props, href: url, target: "_blank", rel: "noopener noreferrer" }, ...children);
}

/** "ORDER_FILLED" -> "Order filled", for events without a title. */
export function titleOf({ title, event_type: type }) {
  const text = title || String(type ?? "").replaceAll(/[_.]/g, " ").toLowerCase();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Return the body as its blocks, or as plain text; null if there is none. */
export function bodyOf({ body, blocks }) {
  if (blocks?.length) return h("div", { part: "body", class: "body blocks" }, ...blocksOf(blocks));
  return body ? h("p", { part: "body", class: "body" }, body) : null;
}

export function blocksOf(blocks) {
  return blocks.map(({ type, depth, marker, runs }) => {
    const lead = depth ? h("span", { class: "marker" }, marker) : null;
    return h(type === "code" ? "pre" : "p", { "data-depth": depth }, lead, ...runs.map(runOf));
  });
}

function runOf({ text, bold, italic, code, url }) {
  let shown = text;
  if (code) shown = h("code", {}, shown);
  if (italic) shown = h("i", {}, shown);
  if (bold) shown = h("b", {}, shown);
  return isLink(url) ? linked(url, "span", {}, shown) : shown;
}

export function imageOf({ image }) {
  if (!isLink(image)) return null;
  return h("img", { part: "image", src: image, alt: "", loading: "lazy", referrerpolicy: "no-referrer" });
}

/**
 * Return what an event's buttons do: those of its producer, and on a CRITICAL one to acknowledge it, labelled `label`.
 * The person acknowledges once.
 */
export function buttonsOf({ actions = [], priority, acknowledged }, label) {
  const wanted = [...actions];
  if (priority === "CRITICAL" && !wanted.some(acknowledges)) wanted.unshift({ kind: "acknowledge", label });
  return wanted.filter((action) => !(acknowledged && acknowledges(action)));
}

export function acknowledges({ kind }) {
  return kind === "acknowledge";
}

/** Return the buttons of an event, or null. One that acknowledges calls `onAcknowledge`. */
export function actionsOf(event, { label, onAcknowledge }) {
  const buttons = buttonsOf(event, label).map((action) =>
    acknowledges(action)
      ? h("button", { type: "button", part: "button acknowledge", onclick: onAcknowledge }, action.label)
      : linked(action.url, "span", { part: "button action" }, action.label),
  );
  return buttons.length ? h("div", { part: "actions", class: "actions" }, ...buttons) : null;
}
