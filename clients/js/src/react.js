// The components for React, and a hook for pages that show the inbox in their own way.

import { createElement, useCallback, useLayoutEffect, useRef, useSyncExternalStore } from "react";

import { inboxOf } from "./components.js";

const EMPTY = Object.freeze({ items: [], unread: 0, hasOlder: false, loaded: false, state: "connecting" });
const NOTHING = () => {};

/** Return what a client's inbox shows, and what the person can do with it. `client` may be null at first. */
export function useInbox(client) {
  const inbox = client ? inboxOf(client) : null;
  const subscribe = useCallback(
    (changed) => {
      inbox?.addEventListener("change", changed);
      return () => inbox?.removeEventListener("change", changed);
    },
    [inbox],
  );
  const view = useSyncExternalStore(subscribe, () => inbox?.view ?? EMPTY, () => EMPTY);
  return { ...view, inbox };
}

/** The bell. Further properties become attributes and children its slots. */
export function TocsinInbox({ client, renderItem, onItemOpen, onUnreadChange, ...attributes }) {
  const ref = useElement({ client, renderItem }, { "item-open": onItemOpen, "unread-change": onUnreadChange });
  return createElement("tocsin-inbox", { ...attributes, ref });
}

export function TocsinToasts({ client, ...attributes }) {
  return createElement("tocsin-toasts", { ...attributes, ref: useElement({ client }, {}) });
}

/** Set properties and handlers on an element, in every version of React. */
function useElement(properties, handlers) {
  const ref = useRef(null);
  for (const [name, value] of Object.entries(properties)) {
    useLayoutEffect(() => {
      if (value !== undefined) ref.current[name] = value;
    }, [value]);
  }
  for (const [type, handler] of Object.entries(handlers)) {
    useLayoutEffect(() => {
      const element = ref.current;
      element.addEventListener(type, handler ?? NOTHING);
      return () => element.removeEventListener(type, handler ?? NOTHING);
    }, [handler]);
  }
  return ref;
}
