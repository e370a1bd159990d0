// The producer's own words: texts, links and buttons. The server has checked every URL; nothing is parsed as HTML.

import { h } from "./dom.js";

/** Return `children` as a link that opens in a tab of its own; without a link to https, in a plain element. */
export function linked(url, tag, props, ...children) {
  if (!isLink(url)) return h(tag, props, ...children);
  return h("a", { ...props, href: url, target: "_blank", rel: "noopener noreferrer" }, ...children);
}

export function isLink(url) {
  return typeof url === "string" && url.startsWith("https://");
}

/** Return the body of an `event` frame or inbox item: its blocks, or its plain text; null if it has none. */
export function bodyOf({ body, blocks }, props) {
  if (!blocks?.length) return body ? h("p", props, body) : null;
  return h("div", { ...props, class: `${props.class} words` }, ...blocks.map(blockOf));
}

function blockOf({ type, depth, marker, runs }) {
  const lead = depth ? h("span", { class: "words-marker" }, marker) : null;
  return h(type === "code" ? "pre" : "p", { "data-depth": depth }, lead, ...runs.map(runOf));
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
  return h("img", { class: "words-image", src: image, alt: "", loading: "lazy", referrerpolicy: "no-referrer" });
}

/** Return the buttons of an event, or null. A press of one that acknowledges calls `onAcknowledge`. */
export function actionsOf({ actions, acknowledged }, onAcknowledge) {
  const buttons = (actions ?? []).map((action) => {
    if (action.kind !== "acknowledge") return linked(action.url, "span", { class: "button button-small" }, action.label);
    if (acknowledged) return null;
    const button = h("button", { class: "button button-small", type: "button" }, action.label);
    button.addEventListener("click", onAcknowledge);
    return button;
  });
  return buttons.some(Boolean) ? h("div", { class: "words-actions", "data-testid": "actions" }, ...buttons) : null;
}
