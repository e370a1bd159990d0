import assert from "node:assert/strict";
import { test } from "node:test";

import { collected, next, sentBefore, Stage } from "./stage.js";

test("an event is confirmed when every handler took it", async (t) => {
  const { client, peer } = await (await Stage.begin(t)).live();
  const events = collected(client, "event");
  peer.event(1);
  assert.deepEqual(await peer.receive(), { type: "ack", event_ids: ["e-1"] });
  assert.deepEqual(events.map(({ seq }) => seq), [1]);
});

test("a confirmation waits for the handlers' promises", async (t) => {
  const { client, peer } = await (await Stage.begin(t)).live();
  let took;
  client.on("event", () => new Promise((resolve) => (took = resolve)));
  const came = next(client, "event");
  peer.event(1);
  await came;
  assert.deepEqual(await sentBefore(client, peer), []);
  took();
  assert.deepEqual(await peer.receive(), { type: "ack", event_ids: ["e-1"] });
});

for (const [how, fail] of [
  ["throws", () => { throw new Error("no room"); }],
  ["rejects", async () => { throw new Error("no room"); }],
]) {
  test(`a handler that ${how} is reported, and the event is not confirmed but handed over again`, async (t) => {
    const { client, peer } = await (await Stage.begin(t)).live();
    const off = client.on("event", fail);
    const others = collected(client, "event");
    const problem = next(client, "problem");
    peer.event(1);
    assert.equal((await problem).message, "no room");
    assert.deepEqual(await sentBefore(client, peer), []);
    off();
    peer.event(1);
    assert.deepEqual(await peer.receive(), { type: "ack", event_ids: ["e-1"] });
    assert.equal(others.length, 2);
  });
}

test("without a handler nobody took it", async (t) => {
  const { client, peer } = await (await Stage.begin(t)).live();
  const came = next(client, "frame");
  peer.event(1);
  await came;
  assert.deepEqual(await sentBefore(client, peer), []);
});

test("a repeated event is confirmed again, and handed over once", async (t) => {
  const { client, peer } = await (await Stage.begin(t)).live();
  const events = collected(client, "event");
  peer.event(1);
  await peer.receive();
  peer.event(1);
  assert.deepEqual(await peer.receive(), { type: "ack", event_ids: ["e-1"] });
  assert.equal(events.length, 1);
});

test("a repeat that comes while the handlers are busy is not handed over", async (t) => {
  const { client, peer } = await (await Stage.begin(t)).live();
  const took = [];
  client.on("event", () => new Promise((resolve) => took.push(resolve)));
  const frames = collected(client, "frame");
  const came = next(client, "pause");
  peer.event(1);
  peer.event(1);
  peer.send({ type: "pause" });
  await came;
  assert.equal(took.length, 1);
  assert.equal(frames.filter(({ type }) => type === "event").length, 2);
});

test("an informational event is handed over and not confirmed", async (t) => {
  const { client, peer } = await (await Stage.begin(t)).live();
  const events = collected(client, "event");
  peer.event(0, { event_id: "i", priority: "INFORMATIONAL" });
  peer.event(1);
  assert.deepEqual(await peer.receive(), { type: "ack", event_ids: ["e-1"] });
  assert.deepEqual(events.map(({ event_id }) => event_id), ["i", "e-1"]);
});

test("a page may choose not to confirm", async (t) => {
  let willing = false;
  const { client, peer } = await (await Stage.begin(t)).live({ confirm: () => willing });
  const events = collected(client, "event");
  const came = next(client, "event");
  peer.event(1);
  await came;
  assert.deepEqual(await sentBefore(client, peer), []);
  willing = true;
  peer.event(2);
  assert.deepEqual(await peer.receive(), { type: "ack", event_ids: ["e-2"] });
  assert.equal(events.length, 2);
});

test("confirmations of one tick travel in one frame, and at most 500 ids in one", async (t) => {
  const { client, peer } = await (await Stage.begin(t)).live();
  client.confirm(["a"]);
  client.confirm(["b", "a"]);
  assert.deepEqual(await peer.receive(), { type: "ack", event_ids: ["a", "b"] });
  client.confirm(Array.from({ length: 501 }, (_, number) => `n-${number}`));
  assert.equal((await peer.receive()).event_ids.length, 500);
  assert.deepEqual((await peer.receive()).event_ids, ["n-500"]);
});

test("many events are confirmed below the server's limit of frames", async (t) => {
  const stage = await Stage.begin(t);
  const { client, peer } = await stage.live();
  const events = collected(client, "event");
  const last = next(client, "pause");
  for (let seq = 1; seq <= 1_000; seq += 1) peer.event(seq);
  peer.send({ type: "pause" });
  await last;
  stage.clock.advance(100);
  stage.clock.advance(100);
  stage.clock.advance(100);
  const confirmed = new Set();
  let frames = 0;
  while (confirmed.size < 1_000) {
    const frame = await peer.receive();
    if (frame.type === "ping") continue;
    for (const id of frame.event_ids) confirmed.add(id);
    frames += 1;
  }
  assert.ok(frames <= 30, `${frames} frames`);
  assert.equal(events.length, 1_000);
});

test("the person's actions are sent", async (t) => {
  const { client, peer } = await (await Stage.begin(t)).live({ topics: ["market.btc"] });
  client.acknowledge("a");
  client.seen(["b"]);
  client.read(["c"]);
  client.archive(["d"]);
  client.unsubscribe(["market.btc"]);
  const frames = [];
  while (frames.length < 6) frames.push(await peer.receive());
  assert.deepEqual(frames, [
    { type: "subscribe", topics: ["market.btc"] },
    { type: "acknowledge", event_id: "a" },
    { type: "seen", event_ids: ["b"] },
    { type: "read", event_ids: ["c"] },
    { type: "archive", event_ids: ["d"] },
    { type: "unsubscribe", topics: ["market.btc"] },
  ]);
});

test("every server frame reaches its handlers, and unknown ones harm nobody", async (t) => {
  const { client, peer } = await (await Stage.begin(t)).live();
  const frames = collected(client, "frame");
  const states = collected(client, "state");
  const read = collected(client, "event.read");
  const problem = next(client, "problem");
  peer.send({ type: "event.read", event_ids: ["a"] });
  peer.send({ type: "tomorrow", more: 1 });
  peer.send({ type: "state", state: "not ours" });
  peer.send({ type: "problem" });
  peer.send([]);
  peer.send(null);
  peer.socket.send("{no json");
  assert.match((await problem).message, /not JSON/);
  assert.deepEqual(await sentBefore(client, peer), []);
  assert.deepEqual(read, [{ type: "event.read", event_ids: ["a"] }]);
  assert.deepEqual(frames.map(({ type }) => type), ["event.read", "tomorrow", "state", "problem"]);
  assert.deepEqual(states, []);
});

test("a handler that was taken off is not called", async (t) => {
  const { client, peer } = await (await Stage.begin(t)).live();
  const gone = [];
  const off = client.on("event", (frame) => gone.push(frame));
  collected(client, "event");
  off();
  peer.event(1);
  await peer.receive();
  assert.deepEqual(gone, []);
});
