import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "../src/tocsin.js";
import { collected, EPOCH, next, reached, Stage } from "./stage.js";

/** Close as the server does, and return how long the client will wait before it comes back. */
async function waitAfter(stage, client, peer, code) {
  const state = next(client, "state");
  peer.socket.close(code);
  assert.equal(await state, "reconnecting");
  assert.equal(stage.clock.waits.length, 1);
  return stage.clock.waits[0];
}

test("the state tells the story", async (t) => {
  const stage = await Stage.begin(t);
  const client = stage.client();
  const states = collected(client, "state");
  assert.equal(client.state, "connecting");
  (await stage.peer()).ready();
  await reached(client, "live");
  client.close();
  assert.equal(client.state, "closed");
  assert.deepEqual(states, ["live", "closed"]);
});

for (const code of [1001, 1011, 1012, 1013, 4008, 4013]) {
  test(`after ${code} it comes back with jitter`, async (t) => {
    const stage = await Stage.begin(t);
    const { client, peer } = await stage.live();
    assert.equal(await waitAfter(stage, client, peer, code), 500); // half of the first second: random is 0.5
    stage.clock.advance(500);
    (await stage.peer()).ready();
    await reached(client, "live");
  });
}

test("waits grow and stay bounded, until a connection was stable", async (t) => {
  const stage = await Stage.begin(t);
  const client = stage.client();
  const waits = [];
  for (let round = 0; round < 8; round += 1) {
    const peer = await stage.peer();
    peer.ready();
    await reached(client, "live");
    waits.push(await waitAfter(stage, client, peer, 1011));
    stage.clock.advance(waits.at(-1));
  }
  assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
  const peer = await stage.peer();
  peer.ready();
  await reached(client, "live");
  stage.clock.advance(5_000);
  assert.equal(await waitAfter(stage, client, peer, 1011), 500);
});

test("the jitter is full", async (t) => {
  const stage = await Stage.begin(t);
  const { client, peer } = await stage.live({ random: () => 0 });
  assert.equal(await waitAfter(stage, client, peer, 1011), 0);
});

test("a planned restart says when to come back", async (t) => {
  const stage = await Stage.begin(t);
  const { client, peer } = await stage.live();
  peer.send({ type: "shutdown", reconnect_after_ms: 7_000 });
  assert.equal(await waitAfter(stage, client, peer, 1012), 7_500);
  stage.page.wake(); // does not shorten it
  assert.deepEqual(stage.clock.waits, [7_500]);
});

for (const [code, ms] of [[4009, 90_000], [4029, 45_000]]) {
  test(`after ${code} it waits long, even if the network comes back`, async (t) => {
    const stage = await Stage.begin(t);
    const { client, peer } = await stage.live();
    assert.equal(await waitAfter(stage, client, peer, code), ms);
    stage.page.wake();
    assert.deepEqual(stage.clock.waits, [ms]);
    stage.clock.advance(ms);
    await stage.peer();
  });
}

for (const [code, state] of [[4001, "signed out"], [4003, "origin refused"]]) {
  test(`after ${code} it stops`, async (t) => {
    const stage = await Stage.begin(t);
    const { client, peer } = await stage.live();
    peer.socket.close(code);
    await reached(client, state);
    stage.page.wake();
    assert.deepEqual(stage.clock.waits, []);
    assert.equal(stage.strangers, 0);
  });
}

test("a token signs in, and a function is called again after a refusal", async (t) => {
  const stage = await Stage.begin(t);
  const tokens = ["first", "second", "third"];
  const client = stage.client({ token: async () => tokens.shift(), device: "desk" });
  const first = await stage.peer();
  assert.deepEqual(await first.receive(), { type: "auth", token: "first", device: "desk" });
  first.ready();
  await reached(client, "live");
  first.socket.close(4001);
  const second = await stage.peer();
  assert.equal((await second.receive()).token, "second");
  second.socket.close(4001); // refused at once: a third would be refused too
  await reached(client, "signed out");
  assert.deepEqual(tokens, ["third"]);
});

test("a callback without a token means signed out; one that fails is tried again", async (t) => {
  const stage = await Stage.begin(t);
  let answer = () => Promise.reject(new Error("away"));
  const client = stage.client({ ticket: () => answer() });
  assert.equal((await next(client, "problem")).message, "away");
  assert.deepEqual(stage.clock.waits, [500]);
  answer = () => "t-1";
  stage.clock.advance(500);
  const peer = await stage.peer();
  assert.deepEqual(await peer.receive(), { type: "auth", ticket: "t-1" });
  peer.ready();
  await reached(client, "live");
  answer = () => null;
  peer.socket.close(4001);
  await reached(client, "signed out");
});

test("a refused string is not tried again", async (t) => {
  const stage = await Stage.begin(t);
  const client = stage.client({ token: "only" });
  (await stage.peer()).socket.close(4001);
  await reached(client, "signed out");
});

test("a token is renewed before it ends, on the same socket", async (t) => {
  const stage = await Stage.begin(t);
  const ends = stage.clock.now() / 1_000 + 25;
  const token = `x.${Buffer.from(JSON.stringify({ exp: ends })).toString("base64url")}.x`;
  const tokens = [token, "second", "third"];
  const { client, peer } = await stage.live({ token: () => tokens.shift() });
  await peer.receive();
  stage.clock.advance(20_000);
  assert.deepEqual(await peer.receive(), { type: "auth", token: "second" });
  const renewed = next(client, "auth.renewed");
  peer.send({ type: "auth.renewed", expires_at: stage.clock.now() + 10_000 });
  await renewed;
  stage.clock.advance(8_000);
  assert.deepEqual(await peer.receive(), { type: "auth", token: "third" });
});

test("offline it does not try, and comes back at once when online", async (t) => {
  const stage = await Stage.begin(t);
  const { client, peer } = await stage.live();
  stage.page.online = false;
  const wait = await waitAfter(stage, client, peer, 1011);
  stage.clock.advance(wait);
  assert.equal(client.state, "offline");
  assert.deepEqual(stage.clock.waits, []);
  stage.page.online = true;
  stage.page.wake();
  (await stage.peer()).ready();
  await reached(client, "live");
});

test("a person who comes back does not wait for the retry", async (t) => {
  const stage = await Stage.begin(t);
  const { client, peer } = await stage.live();
  await waitAfter(stage, client, peer, 1011);
  stage.page.wake();
  (await stage.peer()).ready();
  await reached(client, "live");
});

test("it pings, and leaves a connection that does not answer", async (t) => {
  const stage = await Stage.begin(t);
  const { client, peer } = await stage.live();
  stage.clock.advance(30_000);
  assert.deepEqual(await peer.receive(), { type: "ping" });
  const ponged = next(client, "frame");
  peer.send({ type: "anything" }); // any frame proves that somebody is there
  await ponged;
  stage.clock.advance(30_000);
  assert.equal(client.state, "live");
  assert.deepEqual(await peer.receive(), { type: "ping" });
  stage.clock.advance(10_000);
  assert.equal(client.state, "reconnecting");
  stage.clock.advance(500);
  (await stage.peer()).ready();
  await reached(client, "live");
});

test("a wake puts an open connection to the test", async (t) => {
  const stage = await Stage.begin(t);
  const { peer } = await stage.live();
  stage.page.wake();
  assert.deepEqual(await peer.receive(), { type: "ping" });
});

test("a server that never says ready is left", async (t) => {
  const stage = await Stage.begin(t);
  const client = stage.client();
  await stage.peer();
  stage.clock.advance(20_000);
  assert.equal(client.state, "reconnecting");
});

test("what has no proof when the connection breaks is sent again, and what has is not", async (t) => {
  const stage = await Stage.begin(t);
  const { client, peer } = await stage.live();
  collected(client, "event");
  peer.event(1);
  assert.deepEqual(await peer.receive(), { type: "ack", event_ids: ["e-1"] });
  stage.page.wake();
  assert.deepEqual(await peer.receive(), { type: "ping" });
  peer.send({ type: "pong" }); // it has read the first confirmation
  peer.event(2);
  assert.deepEqual(await peer.receive(), { type: "ack", event_ids: ["e-2"] });
  const wait = await waitAfter(stage, client, peer, 1011);
  client.read(["e-2"]); // and what is said while there is no connection waits
  stage.clock.advance(wait);
  const again = await stage.peer();
  again.ready({ seq: 2, recovered: true });
  assert.deepEqual(await again.receive(), { type: "ack", event_ids: ["e-2"] });
  assert.deepEqual(await again.receive(), { type: "read", event_ids: ["e-2"] });
});

test("after close nothing is sent", async (t) => {
  const stage = await Stage.begin(t);
  const { client, peer } = await stage.live();
  let took;
  client.on("event", () => new Promise((resolve) => (took = resolve)));
  const came = next(client, "event");
  peer.event(1);
  await came;
  client.close();
  took();
  const [code] = await peer.closed;
  assert.equal(code, 1000);
  assert.deepEqual(peer.unread, []);
  assert.deepEqual(stage.clock.waits, []);
});

test("options that make no sense are refused", async (t) => {
  assert.throws(() => connect({ url: "ftp://server/ws" }), TypeError);
  assert.throws(() => connect({ url: "not an address" }), TypeError);
  assert.throws(() => connect({ url: "ws://server/ws", token: "a", ticket: "b" }), TypeError);
  const stage = await Stage.begin(t);
  const client = stage.client();
  assert.throws(() => client.on("event"), TypeError);
  assert.throws(() => client.read("e-1"), TypeError);
  assert.throws(() => client.subscribe("market"), TypeError);
});

test("a session's page gives its position in the address, a token's in the first frame", async (t) => {
  const stage = await Stage.begin(t);
  stage.storage.setItem(`tocsin:position::${stage.url}`, JSON.stringify({ seq: 7, epoch: EPOCH }));
  stage.client();
  const { query } = await stage.peer();
  assert.deepEqual([query.get("seq"), query.get("epoch")], ["7", EPOCH]);
  stage.client({ token: "t" });
  const peer = await stage.peer();
  assert.equal(peer.query.size, 0);
  assert.deepEqual(await peer.receive(), { type: "auth", token: "t", resume: { seq: 7, epoch: EPOCH } });
});
