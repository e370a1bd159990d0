// <tocsin-inbox> and <tocsin-toasts>: importing this defines them. README.md has examples.

import { TocsinInbox } from "./inbox-element.js";
import { TocsinToasts } from "./toasts-element.js";

export { connect } from "./tocsin.js";
export { inboxOf } from "./inbox.js";
export { TocsinInbox, TocsinToasts };

if (globalThis.customElements && !customElements.get("tocsin-inbox")) {
  customElements.define("tocsin-inbox", TocsinInbox);
  customElements.define("tocsin-toasts", TocsinToasts);
}
