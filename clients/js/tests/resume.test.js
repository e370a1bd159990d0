import assert from "node:assert/strict";
import { test } from "node:test";

import { collected, EPOCH, next, reached, sentBefore, Stage } from "./stage.js";

/** Break the connection and return the next socket, with what it asked for. */
async function broken(stage, client, peer) {
  peer.socket.close(1011);
  await reached(client, "reconnecting");
  stage.clock.advance(60_000);
  const again = await stage.peer();
  return { again, asked: [Number(again.query.get("seq")), again.query.get("epoch")] };
}

test("it resumes after the last event that the page took, and gets each one once", async (t) => {
  const stage = await Stage.begin(t);
  const { client, peer } = await stage.live({}, { seq: 4 });
  const events = collected(client, "event");
  for (const seq of [5, 6]) {
    peer.event(seq);
    await peer.receive();
  }
  const { again, asked } = await broken(stage, client, peer);
  assert.deepEqual(asked, [6, EPOCH]);
  again.ready({ seq: 8, recovered: true });
  for (const seq of [7, 8, 9]) again.event(seq);
  while ((await again.receive()).event_ids.at(-1) !== "e-9");
  assert.deepEqual(events.map(({ seq }) => seq), [5, 6, 7, 8, 9]);
  assert.deepEqual(stage.storage.values, [{ seq: 9, epoch: EPOCH }]);
});

test("it resumes before an event that no handler took", async (t) => {
  const stage = await Stage.begin(t);
  const { client, peer } = await stage.live({}, { seq: 4 });
  const events = [];
  client.on("event", ({ seq }) => {
    events.push(seq);
    if (seq === 5 && events.length === 1) throw new Error("not yet");
  });
  client.on("problem", () => {});
  peer.event(5);
  peer.event(6);
  assert.deepEqual(await peer.receive(), { type: "ack", event_ids: ["e-6"] });
  const { again, asked } = await broken(stage, client, peer);
  assert.deepEqual(asked, [4, EPOCH]);
  again.ready({ seq: 6, recovered: true });
  again.event(5);
  again.event(6);
  const confirmed = new Set();
  while (confirmed.size < 2) for (const id of (await again.receive()).event_ids) confirmed.add(id);
  assert.deepEqual(events, [5, 6, 5]); // 6 had been taken: confirmed again, not handed over twice
  assert.deepEqual(stage.storage.values, [{ seq: 6, epoch: EPOCH }]);
});

test("an event whose handler is busy is not passed over by later ones", async (t) => {
  const stage = await Stage.begin(t);
  const { client, peer } = await stage.live({}, { seq: 4 });
  client.on("event", ({ seq }) => (seq === 5 ? new Promise(() => {}) : undefined));
  peer.event(5);
  peer.event(6);
  await peer.receive();
  assert.deepEqual((await broken(stage, client, peer)).asked, [4, EPOCH]);
});

test("where nothing was recovered it goes on from the snapshot, once the page has it", async (t) => {
  const stage = await Stage.begin(t);
  const { client, peer } = await stage.live({}, { seq: 4 });
  collected(client, "event");
  peer.event(5);
  await peer.receive();
  let settle;
  client.on("snapshot", () => new Promise((resolve) => (settle = resolve)));
  const { again } = await broken(stage, client, peer);
  const snapshot = next(client, "snapshot");
  again.ready({ seq: 4_000, epoch: "another" });
  again.send({ type: "snapshot", items: [{ event_id: "e-4000", seq: 4_000 }] });
  assert.equal((await snapshot).items.length, 1);
  again.event(4_001);
  while ((await again.receive()).event_ids.at(-1) !== "e-4001");
  assert.deepEqual(stage.storage.values, [{ seq: 5, epoch: EPOCH }]); // a reload now would miss the snapshot
  settle();
  assert.deepEqual(await sentBefore(client, again), []);
  assert.deepEqual(stage.storage.values, [{ seq: 4_001, epoch: "another" }]);
});

test("a server that cannot resume is served too", async (t) => {
  const stage = await Stage.begin(t);
  const { client, peer } = await stage.live({}, { seq: 4 });
  collected(client, "event");
  const { again } = await broken(stage, client, peer);
  const ready = next(client, "ready");
  again.ready({ seq: 9 });
  assert.equal((await ready).recovered, false);
  again.event(10);
  await again.receive();
  assert.deepEqual(stage.storage.values, [{ seq: 10, epoch: EPOCH }]);
});

test("a reloaded page resumes from storage; a spoilt storage is no obstacle", async (t) => {
  const stage = await Stage.begin(t);
  const { client, peer } = await stage.live({ person: "ann" }, { seq: 4 });
  collected(client, "event");
  peer.event(5);
  await peer.receive();
  client.close();
  stage.client({ person: "ann" });
  assert.equal((await stage.peer()).query.get("seq"), "5");
  stage.client({ person: "bob" });
  assert.equal((await stage.peer()).query.get("seq"), null);
  for (const storage of [
    null,
    { getItem: () => "{not json", setItem: () => {} },
    { getItem: () => '{"seq": "x"}', setItem: () => {} },
    { getItem: () => { throw new Error("forbidden"); }, setItem: () => { throw new Error("full"); } },
  ]) {
    const { peer: other } = await stage.live({ storage }, { seq: 1 });
    assert.equal(other.query.get("seq"), null);
  }
});

test("events that swap places make no gap", async (t) => {
  const stage = await Stage.begin(t);
  const { client, peer } = await stage.live({}, { seq: 4 });
  collected(client, "event");
  peer.event(6);
  peer.event(5);
  const confirmed = [];
  while (confirmed.length < 2) confirmed.push(...(await peer.receive()).event_ids);
  stage.clock.advance(5_000);
  assert.equal(client.state, "live");
  assert.deepEqual(stage.storage.values, [{ seq: 6, epoch: EPOCH }]);
});

test("a gap that stays leads to a resume", async (t) => {
  const stage = await Stage.begin(t);
  const { client, peer } = await stage.live({}, { seq: 4 });
  const events = collected(client, "event");
  peer.event(6);
  await peer.receive();
  stage.clock.advance(1_000);
  assert.equal(client.state, "reconnecting");
  stage.clock.advance(500);
  const again = await stage.peer();
  assert.equal(again.query.get("seq"), "4");
  again.ready({ seq: 6, recovered: true });
  again.event(5);
  again.event(6);
  while ((await again.receive()).event_ids.at(-1) !== "e-6");
  assert.deepEqual(events.map(({ seq }) => seq), [6, 5]);
  stage.clock.advance(5_000);
  assert.equal(client.state, "live");
});

test("a repeat that comes before its turn makes no gap", async (t) => {
  const stage = await Stage.begin(t);
  const { client, peer } = await stage.live({}, { seq: 4 });
  const events = collected(client, "event");
  peer.event(8, { repeat: true });
  await peer.receive();
  stage.clock.advance(5_000);
  assert.equal(client.state, "live");
  for (const seq of [5, 6, 7, 8]) peer.event(seq);
  while ((await peer.receive()).event_ids.at(-1) !== "e-8");
  assert.deepEqual(events.map(({ seq }) => seq), [8, 5, 6, 7]);
  assert.deepEqual(stage.storage.values, [{ seq: 8, epoch: EPOCH }]);
});

test("an old event that is pushed again moves nothing back", async (t) => {
  const stage = await Stage.begin(t);
  const { client, peer } = await stage.live({}, { seq: 9 });
  const events = collected(client, "event");
  peer.event(3, { ack_by: 1 });
  assert.deepEqual(await peer.receive(), { type: "ack", event_ids: ["e-3"] });
  assert.equal(events.length, 1);
  assert.deepEqual(stage.storage.values, [{ seq: 9, epoch: EPOCH }]);
  assert.equal(client.state, "live");
});

test("the first page of the inbox is asked for with every connection, by token and by session", async (t) => {
  const stage = await Stage.begin(t);
  const { peer } = await stage.live({ inbox: 20 });
  assert.equal(peer.query.get("inbox"), "20");
  stage.client({ inbox: 10, token: "jwt" });
  const signedIn = await (await stage.peer()).receive();
  assert.deepEqual([signedIn.type, signedIn.inbox], ["auth", 10]);
});

test("further pages are asked for by a frame, and come to their handlers", async (t) => {
  const { client, peer } = await (await Stage.begin(t)).live({ inbox: 20 });
  client.inbox({ before: 7 });
  assert.deepEqual(await peer.receive(), { type: "inbox", limit: 20, before: 7 });
  const page = next(client, "inbox.page");
  peer.send({ type: "inbox.page", before: 7, items: [], next_before: null, unread: 0, seq: 9, epoch: EPOCH });
  assert.equal((await page).before, 7);
});
