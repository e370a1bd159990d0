// The producer's own words: texts, links and buttons. The server has checked every URL; nothing is parsed as HTML.

import { h } from "./dom.js";
import { textsOf } from "../tocsin/texts.js";
import { acknowledges, blocksOf, buttonsOf, isLink, linked } from "../tocsin/words.js";

export { isLink, linked };

/** Return the body of an `event` frame or inbox item: its blocks, or its plain text; null if it has none. */
export function bodyOf({ body, blocks }, props) {
  if (!blocks?.length) return body ? h("p", props, body) : null;
  return h("div", { ...props, class: `${props.class} words` }, ...blocksOf(blocks));
}

export function imageOf({ image }) {
  if (!isLink(image)) return null;
  return h("img", { class: "words-image", src: image, alt: "", loading: "lazy", referrerpolicy: "no-referrer" });
}

/** Return the buttons of an event, or null. A press of one that acknowledges calls `onAcknowledge`. */
export function actionsOf(event, onAcknowledge) {
  const { acknowledge } = textsOf(document.documentElement.lang || "en");
  const buttons = buttonsOf(event, acknowledge).map((action) => {
    if (!acknowledges(action)) return linked(action.url, "span", { class: "button button-small" }, action.label);
    const button = h("button", { class: "button button-small", type: "button" }, action.label);
    button.addEventListener("click", onAcknowledge);
    return button;
  });
  return buttons.length ? h("div", { class: "words-actions", "data-testid": "actions" }, ...buttons) : null;
}
