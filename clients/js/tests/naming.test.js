// Which event is meant, where two sources use the same id; and frames that the server can take.

import assert from "node:assert/strict";
import { test } from "node:test";

import { collected, next, sentBefore, Stage } from "./stage.js";

const SERVER_TAKES = 64 * 1024;

test("two events of the same id are both handed over, and each is confirmed under its own name", async (t) => {
  const { client, peer } = await (await Stage.begin(t)).live();
  const events = collected(client, "event");
  peer.event(1, { event_id: "x", source: "bank" });
  assert.deepEqual(await peer.receive(), { type: "ack", source: "bank", event_ids: ["x"] });
  peer.event(2, { event_id: "x", source: "shop" });
  assert.deepEqual(await peer.receive(), { type: "ack", source: "shop", event_ids: ["x"] });
  assert.deepEqual(events.map(({ source }) => source), ["bank", "shop"]);
});

test("an informational event does not hide the event of another source", async (t) => {
  const { client, peer } = await (await Stage.begin(t)).live();
  const events = collected(client, "event");
  peer.event(0, { event_id: "x", source: "shop", priority: "INFORMATIONAL" });
  peer.event(1, { event_id: "x", source: "bank" });
  assert.deepEqual(await peer.receive(), { type: "ack", source: "bank", event_ids: ["x"] });
  assert.deepEqual(events.map(({ source }) => source), ["shop", "bank"]);
});

test("what a person does is said of the event itself", async (t) => {
  const { client, peer } = await (await Stage.begin(t)).live();
  const of = (source, id) => ({ source, event_id: id, seq: 7, title: "more" });
  client.acknowledge(of("bank", "x"));
  client.read([of("bank", "x"), of("shop", "x"), "alone", of("bank", "y")]);
  const frames = [await peer.receive(), await peer.receive(), await peer.receive(), await peer.receive()];
  assert.deepEqual(frames, [
    { type: "acknowledge", source: "bank", event_id: "x" },
    { type: "read", source: "bank", event_ids: ["x", "y"] },
    { type: "read", source: "shop", event_ids: ["x"] },
    { type: "read", event_ids: ["alone"] },
  ]);
});

test("confirmations of alternating sources travel together, one frame for each source", async (t) => {
  const stage = await Stage.begin(t);
  const { client, peer } = await stage.live();
  collected(client, "event");
  const last = next(client, "pause");
  for (let seq = 1; seq <= 400; seq += 1) peer.event(seq, { source: seq % 2 ? "bank" : "shop" });
  peer.send({ type: "pause" });
  await last;
  stage.clock.advance(300);
  const confirmed = new Set();
  let frames = 0;
  while (confirmed.size < 400) {
    const frame = await peer.receive();
    if (frame.type === "ping") continue;
    for (const id of frame.event_ids) confirmed.add(`${frame.source} ${id}`);
    frames += 1;
  }
  assert.ok(frames <= 30, `${frames} frames`);
});

const LONG = {
  "200 bytes": (number) => `${number}`.padStart(200, "x"),
  "characters of four bytes": (number) => "🜁".repeat(49) + `${number}`.padStart(4, "0"),
  "characters that JSON escapes": (number) => '"'.repeat(196) + `${number}`.padStart(4, "0"),
};
for (const [what, make] of Object.entries(LONG)) {
  test(`500 ids of ${what} fit frames that the server takes`, async (t) => {
    const { client, peer } = await (await Stage.begin(t)).live();
    const ids = Array.from({ length: 500 }, (_, number) => make(number));
    for (const type of ["confirm", "read"]) {
      client[type](ids.map((id) => ({ source: "bank", event_id: id })));
      const named = [];
      while (named.length < 500) {
        const frame = await peer.receive();
        assert.ok(Buffer.byteLength(JSON.stringify(frame)) < SERVER_TAKES);
        named.push(...frame.event_ids);
      }
      assert.deepEqual(named, ids);
    }
  });
}

test("many topics are subscribed to in frames that the server takes", async (t) => {
  const { client, peer } = await (await Stage.begin(t)).live();
  const topics = Array.from({ length: 250 }, (_, number) => `market.${number}`);
  client.subscribe(topics);
  const frames = [await peer.receive(), await peer.receive(), await peer.receive()];
  assert.deepEqual(frames.map((frame) => frame.topics.length), [100, 100, 50]);
  assert.deepEqual(frames.flatMap((frame) => frame.topics), topics);
});

for (const id of ["", "x".repeat(201), "a\0b", "\ud800", 7, null, undefined]) {
  test(`an id that no event can have is refused: ${JSON.stringify(id)?.slice(0, 20)}`, async (t) => {
    const { client, peer } = await (await Stage.begin(t)).live();
    assert.throws(() => client.read(["good", { event_id: id }]), TypeError);
    assert.throws(() => client.acknowledge({ event_id: id }), TypeError);
    assert.deepEqual(await sentBefore(client, peer), []);
  });
}

test("a frame that is too large for the way ends one connection, and not the next", async (t) => {
  const stage = await Stage.begin(t);
  const { client, peer } = await stage.live();
  const problems = collected(client, "problem");
  client.archive(["small"]);
  client.read(Array.from({ length: 100 }, (_, number) => `large-${number}`));
  assert.equal((await peer.receive()).type, "archive");
  assert.equal((await peer.receive()).event_ids.length, 100);
  peer.socket.close(1009);
  await next(client, "state");
  stage.page.wake();
  const again = await stage.peer();
  again.ready();
  assert.deepEqual(await again.receive(), { type: "archive", event_ids: ["small"] });
  assert.deepEqual(await sentBefore(client, again), []);
  assert.match(problems[0].message, /too large/);
});

test("confirmations that were too large together are dropped together", async (t) => {
  const stage = await Stage.begin(t);
  const { client, peer } = await stage.live();
  for (let number = 0; number < 100; number += 1) client.confirm([`large-${number}`]);
  assert.equal((await peer.receive()).event_ids.length, 100);
  peer.socket.close(1009);
  await next(client, "state");
  stage.page.wake();
  const again = await stage.peer();
  again.ready();
  assert.deepEqual(await sentBefore(client, again), []);
});
