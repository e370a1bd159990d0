import assert from "node:assert/strict";
import { test } from "node:test";

import { inboxOf } from "../src/inbox.js";
import { ageOf, localeOf } from "../src/texts.js";
import { event, EPOCH, next, sentBefore, Stage } from "./stage.js";

function item(seq, fields = {}) {
  const { type, ack_by, ...rest } = event(seq, { source: "bank" });
  return { ...rest, state: "delivered", seen: true, read: false, acknowledged: false, topic: "", ...fields };
}

function page(items, fields = {}) {
  const seq = Math.max(0, ...items.map((one) => one.seq));
  const unread = items.filter((one) => !one.read).length;
  return { type: "inbox.page", before: null, items, next_before: null, unread, seq, epoch: EPOCH, ...fields };
}

function mark(type, ...seqs) {
  return { type, source: "bank", event_ids: seqs.map((seq) => `e-${seq}`), seqs };
}

/** A live client with its inbox, after the server's first page. */
async function withInbox(t, items, fields = {}) {
  const stage = await Stage.begin(t);
  const client = stage.client({ inbox: 30 });
  const inbox = inboxOf(client);
  const peer = await stage.peer();
  peer.ready();
  const after = async (...frames) => {
    for (const frame of frames) peer.send(frame);
    const mark = next(client, "mark");
    peer.send({ type: "mark" });
    await mark;
    return inbox.view;
  };
  return { client, peer, inbox, after, first: await after(page(items, fields)) };
}

const seqs = ({ items }) => items.map(({ seq }) => seq);
const sent = async (client, peer) => {
  const frames = await sentBefore(client, peer);
  return frames.filter(({ type }) => !["ack", "inbox"].includes(type));
};

test("the first page is what the inbox shows, and events follow at its head", async (t) => {
  const { first, after } = await withInbox(t, [item(2), item(1, { read: true })]);
  assert.deepEqual([seqs(first), first.unread, first.loaded], [[2, 1], 1, true]);
  const later = await after(event(3, { source: "bank" }));
  assert.deepEqual([seqs(later), later.unread], [[3, 2, 1], 2]);
});

test("an event that a page has too is counted once, in either order", async (t) => {
  const { after } = await withInbox(t, [item(1)]);
  const live = await after(event(2, { source: "bank" }), page([item(2), item(1)]));
  assert.deepEqual([seqs(live), live.unread], [[2, 1], 2]);
  const again = await after(event(2, { source: "bank", repeat: true }));
  assert.deepEqual([seqs(again), again.unread], [[2, 1], 2]);
});

test("what the person does counts at once, is sent, and is not counted again by its echo", async (t) => {
  const { client, peer, inbox, after } = await withInbox(t, [item(3), item(2), item(1)]);
  inbox.read([inbox.view.items[0]]);
  inbox.archive([inbox.view.items[1]]);
  inbox.acknowledge(inbox.view.items[1]);
  assert.deepEqual([seqs(inbox.view), inbox.view.unread], [[3, 1], 0]);
  assert.deepEqual((await sent(client, peer)).map(({ type, event_ids: ids, event_id: id }) => [type, ids ?? id]), [
    ["read", ["e-3"]],
    ["archive", ["e-2"]],
    ["acknowledge", "e-1"],
  ]);
  const echoed = await after(mark("event.read", 3), mark("event.archived", 2), mark("event.acknowledged", 1));
  assert.deepEqual([seqs(echoed), echoed.unread, echoed.items[1].acknowledged], [[3, 1], 0, true]);
});

test("a page that the server made before it heard of an action does not undo it", async (t) => {
  const { inbox, after } = await withInbox(t, [item(2), item(1)]);
  inbox.read([inbox.view.items[0]]);
  inbox.archive([inbox.view.items[1]]);
  const view = await after(page([item(2), item(1)]));
  assert.deepEqual([seqs(view), view.items[0].read, view.unread], [[2], true, 0]);
});

test("an action elsewhere changes what is shown; on an item that is not here it asks for the count", async (t) => {
  const { client, peer, after } = await withInbox(t, [item(9)], { next_before: 9, unread: 5 });
  const view = await after(mark("event.acknowledged", 9));
  assert.deepEqual([view.items[0].read, view.items[0].acknowledged, view.unread], [true, true, 4]);
  await after(mark("event.read", 2), mark("event.read", 3));
  const frames = (await sentBefore(client, peer)).filter(({ type }) => type === "inbox");
  assert.deepEqual(frames, [{ type: "inbox", limit: 30 }]);
});

test("older pages are appended; one that another tab asked for is not", async (t) => {
  const { inbox, after } = await withInbox(t, [item(9)], { next_before: 9, unread: 3 });
  inbox.older();
  const foreign = await after(page([item(2)], { before: 5, unread: 3 }));
  assert.deepEqual(seqs(foreign), [9]);
  const view = await after(page([item(4), item(3)], { before: 9, next_before: null, unread: 3, seq: 9 }));
  assert.deepEqual([seqs(view), view.unread, view.hasOlder], [[9, 4, 3], 3, false]);
});

test("all are marked as read, also on pages that are not loaded", async (t) => {
  const { client, peer, inbox, after } = await withInbox(t, [item(9)], { next_before: 9, unread: 2 });
  inbox.readAll();
  await after(page([item(4)], { before: 9, next_before: null, unread: 1, seq: 9 }));
  assert.equal(inbox.view.unread, 0);
  const read = (await sent(client, peer)).filter(({ type }) => type === "read");
  assert.deepEqual(read.map(({ event_ids: ids }) => ids), [["e-9"], ["e-4"]]);
});

test("items that still wait for a confirmation are confirmed when they are shown", async (t) => {
  const waiting = item(2, { state: "accepted", priority: "NORMAL" });
  const { client, peer } = await withInbox(t, [waiting, item(1)]);
  assert.deepEqual(await sentBefore(client, peer), [{ type: "ack", source: "bank", event_ids: ["e-2"] }]);
});

test("a client that asks for no page with ready is asked for one", async (t) => {
  const { client, peer } = await (await Stage.begin(t)).live();
  const inbox = inboxOf(client);
  assert.equal(inboxOf(client), inbox);
  assert.deepEqual(await peer.receive(), { type: "inbox", limit: 30 });
  assert.equal(inbox.view, inbox.view);
});

test("the first locale that is one counts", () => {
  assert.equal(localeOf(null, "de_CH", "en"), "de-CH");
  assert.equal(localeOf("not a locale", "", "zh-Hans"), "zh-Hans");
  assert.equal(localeOf(undefined, "!"), "en");
});

test("ages are words of the locale", () => {
  const now = 1_795_248_734_000;
  const ages = (locale) => [2, 90, 7_200, 90_000].map((s) => ageOf(now - s * 1_000, now, locale));
  assert.deepEqual(ages("en"), ["now", "1 min. ago", "2 hr. ago", "1 day ago"]);
  assert.deepEqual(ages("de-CH"), ["jetzt", "vor 1 Min.", "vor 2 Std.", "vor 1 Tag"]);
  assert.equal(ages("zh-Hans")[0], "刚刚");
});
