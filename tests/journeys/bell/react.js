import { createElement as h, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { TocsinInbox, TocsinToasts, useInbox } from "tocsin-client/react";

import { client } from "./client.js";

function renderItem(item) {
  const row = document.createElement("p");
  row.className = "own";
  row.textContent = `${item.read ? "" : "* "}${item.title}`;
  return row;
}

function Shop() {
  const { unread, items, inbox } = useInbox(client);
  return h("div", {},
    h("output", {}, `${unread} of ${items.length}`),
    h("button", { type: "button", onClick: () => inbox.readAll() }, "Done"),
    h(TocsinInbox, { client, renderItem, inline: true, onUnreadChange: ({ detail }) => (document.title = `${detail.unread}`) },
      h("strong", { slot: "heading" }, "Post")),
    h(TocsinToasts, { client }));
}

createRoot(document.getElementById("root")).render(h(StrictMode, {}, h(Shop)));
