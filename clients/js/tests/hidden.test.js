// A page that nobody can see: it does not confirm that a CRITICAL event was shown.

import assert from "node:assert/strict";
import { test } from "node:test";

import { collected, event, next, sentBefore, Stage } from "./stage.js";

async function hidden(t, options = {}) {
  const stage = await Stage.begin(t);
  stage.page.hidden = true;
  const { client, peer } = await stage.live(options);
  collected(client, "event");
  return { stage, client, peer };
}

/** Resolves to the next frame that is no ping: a page that wakes tests its connection. */
async function said(peer) {
  for (;;) {
    const frame = await peer.receive();
    if (frame.type !== "ping") return frame;
  }
}

test("a hidden page confirms CRITICAL events when it is seen, and others at once", async (t) => {
  const { stage, client, peer } = await hidden(t);
  peer.event(1);
  peer.event(2, { priority: "NORMAL" });
  assert.deepEqual(await said(peer), { type: "ack", event_ids: ["e-2"] });
  stage.page.wake(); // the network, not the person
  assert.deepEqual(await sentBefore(client, peer), [{ type: "ping" }]);
  stage.page.show();
  assert.deepEqual(await said(peer), { type: "ack", event_ids: ["e-1"] });
});

test("it confirms once what came twice", async (t) => {
  const { stage, client, peer } = await hidden(t);
  peer.event(1);
  peer.event(1, { repeat: true });
  peer.send({ type: "pause" });
  await next(client, "pause");
  stage.page.show();
  assert.deepEqual(await said(peer), { type: "ack", event_ids: ["e-1"] });
  assert.deepEqual(await sentBefore(client, peer), []);
});

test("a page may choose to confirm although it is hidden", async (t) => {
  for (const confirmHidden of [true, ({ priority }) => priority === "CRITICAL"]) {
    const { peer } = await hidden(t, { confirmHidden });
    peer.event(1);
    assert.deepEqual(await said(peer), { type: "ack", event_ids: ["e-1"] });
  }
});

test("a page may choose to confirm nothing while it is hidden", async (t) => {
  const { stage, client, peer } = await hidden(t, { confirmHidden: false });
  peer.event(1, { priority: "NORMAL" });
  peer.send({ type: "pause" });
  await next(client, "pause");
  assert.deepEqual(await sentBefore(client, peer), []);
  stage.page.show();
  assert.deepEqual(await said(peer), { type: "ack", event_ids: ["e-1"] });
});

test("what a page shows from a snapshot is confirmed by the same rules", async (t) => {
  const { stage, client, peer } = await hidden(t);
  client.shown([event(1, { source: "bank" }), event(2, { source: "bank", priority: "NORMAL" })]);
  assert.deepEqual(await said(peer), { type: "ack", source: "bank", event_ids: ["e-2"] });
  stage.page.show();
  assert.deepEqual(await said(peer), { type: "ack", source: "bank", event_ids: ["e-1"] });
});

test("what the page says itself is sent at once", async (t) => {
  const { client, peer } = await hidden(t);
  client.confirm([event(1)]);
  assert.deepEqual(await said(peer), { type: "ack", event_ids: ["e-1"] });
});
