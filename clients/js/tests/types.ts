// Checked by tsc and never run: what must compile, and what must not.

import { connect, type Client, type State, type TocsinEvent } from "../src/tocsin.js";
import { inboxOf } from "../src/components.js";
import { TocsinInbox as TocsinInboxElement, useInbox } from "../src/react.js";
import { makeToken } from "../src/token.js";

const client: Client = connect({ url: "/ws", person: "ann", storage: localStorage, topics: ["market.btc"] });
connect({ url: new URL("wss://server/ws/native"), token: async () => "jwt", device: "desk", share: false });
connect({ url: "/ws", WebSocket, BroadcastChannel, locks: navigator.locks, confirm: () => true });

const off: () => void = client.on("event", async (event: TocsinEvent) => {
  const seq: number | undefined = event.seq;
  if (seq === undefined) client.seen([event.event_id]);
});
client.on("event.read", ({ event_ids }) => client.archive(new Set(event_ids)));
client.on("snapshot", ({ items }) => client.shown(items));
client.on("event", (event) => client.acknowledge(event));
client.read([{ source: "bank", event_id: "e-1" }, "e-2"]);
connect({ url: "/ws", confirm: (event) => event.priority !== "NORMAL", confirmHidden: true });
client.on("state", (state: State) => state === "signed out" && off());
client.on("of.tomorrow", (frame) => frame["anything"]);

// @ts-expect-error an address is needed
connect({ token: "jwt" });
// @ts-expect-error ids are a list
client.read("e-1");
// @ts-expect-error it is only read
client.state = "live";
// @ts-expect-error no such state
const unknown: State = "asleep";
void unknown;

const inbox = inboxOf(connect({ url: "/ws", inbox: 30 }));
inbox.addEventListener("change", () => inbox.read(inbox.view.items.filter((item) => !item.acknowledged)));
client.on("inbox.page", ({ next_before }) => next_before !== null && client.inbox({ before: next_before }));
const bell = document.createElement("tocsin-inbox");
bell.client = client;
bell.renderItem = (item) => document.createTextNode(item.title).parentElement ?? bell;
bell.addEventListener("item-open", (event) => event.detail.item.url);
const { unread, inbox: shown } = useInbox(null);
shown?.archive([]);
TocsinInboxElement({ client, onUnreadChange: ({ detail }) => void (detail.unread + unread), inline: true });
const token: string = makeToken("ann", "PEM", { lifeS: 300 });
void token;

// @ts-expect-error a theme is light or dark
TocsinInboxElement({ theme: "red" });
// @ts-expect-error it is only read
bell.unread = 3;
