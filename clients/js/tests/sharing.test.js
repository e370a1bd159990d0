import assert from "node:assert/strict";
import { test } from "node:test";

import { collected, EPOCH, Locks, MemoryStorage, next, reached, sentBefore, Stage } from "./stage.js";

/** Tabs of one browser: they share locks and channels, and have a storage each. */
class Browser {
  constructor(stage) {
    this.stage = stage;
    this.locks = new Locks();
  }

  tab(options = {}) {
    return this.stage.client({ person: "ann", locks: this.locks, storage: new MemoryStorage(), ...options });
  }

  /** A leader that is live, with its socket. */
  async leader(ready = {}) {
    const tab = this.tab();
    const peer = await this.stage.peer();
    peer.ready(ready);
    await reached(tab, "live");
    return { tab, peer };
  }

  async follower(options = {}) {
    const tab = this.tab(options);
    const ready = await next(tab, "ready");
    return { tab, ready };
  }
}

async function opened(t) {
  const stage = await Stage.begin(t);
  return { stage, browser: new Browser(stage) };
}

test("tabs of a person share one socket, and every tab gets every event", async (t) => {
  const { stage, browser } = await opened(t);
  const { tab: first, peer } = await browser.leader({ seq: 4, unread: 2 });
  const { tab: second, ready } = await browser.follower();
  assert.deepEqual([first.role, second.role], ["leader", "follower"]);
  assert.equal(second.state, "live");
  assert.deepEqual(ready, { type: "ready", seq: 4, epoch: EPOCH, recovered: false });
  const events = [next(first, "event"), next(second, "event")];
  peer.event(5);
  assert.deepEqual((await Promise.all(events)).map(({ seq }) => seq), [5, 5]);
  assert.equal(stage.strangers, 0);
  const { ready: third } = await browser.follower();
  assert.equal(third.seq, 5); // it joins where the connection is now
});

test("several tabs take an event, and one confirmation is sent", async (t) => {
  const { browser } = await opened(t);
  const { tab: first, peer } = await browser.leader();
  const { tab: second } = await browser.follower();
  let took;
  first.on("event", () => {});
  second.on("event", () => new Promise((resolve) => (took = resolve)));
  const came = next(second, "event");
  peer.event(1);
  assert.deepEqual(await peer.receive(), { type: "ack", event_ids: ["e-1"] });
  await came;
  took();
  assert.deepEqual(await sentBefore(second, peer), []);
});

test("the confirmation of one tab is enough", async (t) => {
  const { browser } = await opened(t);
  const { peer } = await browser.leader(); // has no handlers
  const { tab: second } = await browser.follower();
  collected(second, "event");
  peer.event(1);
  assert.deepEqual(await peer.receive(), { type: "ack", event_ids: ["e-1"] });
  peer.event(1); // the server asks again
  assert.deepEqual(await peer.receive(), { type: "ack", event_ids: ["e-1"] });
});

test("a tab that follows sends through the leader", async (t) => {
  const { browser } = await opened(t);
  const { peer } = await browser.leader();
  const { tab } = await browser.follower();
  tab.read(["e-1"]);
  assert.deepEqual(await peer.receive(), { type: "read", event_ids: ["e-1"] });
});

for (const how of ["closes", "dies"]) {
  test(`when the leader ${how} another tab leads, and misses nothing`, async (t) => {
    const { stage, browser } = await opened(t);
    const { tab: first, peer } = await browser.leader({ seq: 4 });
    const { tab: second } = await browser.follower();
    const events = collected(second, "event");
    const came = next(second, "event");
    peer.event(5);
    await came;
    await peer.receive();
    const role = next(second, "role");
    if (how === "dies") browser.locks.kill();
    else first.close();
    assert.equal(await role, "leader");
    const successor = await stage.peer();
    assert.equal(successor.query.get("seq"), "5");
    successor.ready({ seq: 6, recovered: true });
    successor.event(6);
    while ((await successor.receive()).event_ids?.at(-1) !== "e-6");
    assert.deepEqual(events.map(({ seq }) => seq), [5, 6]);
    assert.equal(second.state, "live");
  });
}

test("what a tab sent is sent again by the next leader, unless the server has read it", async (t) => {
  const { stage, browser } = await opened(t);
  const { tab: first, peer } = await browser.leader();
  const { tab: second } = await browser.follower();
  second.read(["e-1"]);
  await peer.receive();
  stage.page.wake();
  while ((await peer.receive()).type !== "ping");
  peer.send({ type: "pong" });
  peer.send({ type: "event.read", event_ids: ["e-1"] }); // follows the pong, and so does its echo
  await next(second, "event.read");
  second.archive(["e-2"]);
  await peer.receive();
  first.close();
  const successor = await stage.peer();
  successor.ready();
  assert.deepEqual(await successor.receive(), { type: "archive", event_ids: ["e-2"] });
});

test("a tab that waited for a leader is heard by the one that comes", async (t) => {
  const { stage, browser } = await opened(t);
  const holder = browser.locks.request("", { signal: new AbortController().signal }, () => new Promise(() => {}));
  const one = browser.tab();
  const two = browser.tab();
  await next(two, "role");
  two.read(["e-1"]);
  browser.locks.kill();
  const peer = await stage.peer();
  assert.equal(one.role, "leader");
  peer.ready();
  assert.deepEqual(await peer.receive(), { type: "read", event_ids: ["e-1"] });
  assert.ok(holder);
});

test("a reconnection of the leader is everybody's", async (t) => {
  const { stage, browser } = await opened(t);
  const { peer } = await browser.leader({ seq: 1 });
  const { tab: second } = await browser.follower();
  const events = collected(second, "event");
  peer.socket.close(1011);
  await reached(second, "reconnecting");
  second.on("ready", () => {});
  stage.page.wake();
  const again = await stage.peer();
  const ready = next(second, "ready");
  again.ready({ seq: 2, recovered: true, unread: 9 });
  assert.deepEqual(await ready, { type: "ready", seq: 2, epoch: EPOCH, recovered: true, unread: 9 });
  again.event(2);
  await again.receive();
  assert.deepEqual(events.map(({ seq }) => seq), [2]);
});

test("to a tab that joins during a reconnection nothing was recovered", async (t) => {
  const { stage, browser } = await opened(t);
  const { tab: first, peer } = await browser.leader({ seq: 1 });
  peer.socket.close(1011);
  await reached(first, "reconnecting");
  const second = browser.tab();
  await next(second, "state");
  const ready = next(second, "ready");
  stage.page.wake();
  (await stage.peer()).ready({ seq: 2, recovered: true });
  assert.equal((await ready).recovered, false);
});

test("a tab that missed something joins again", async (t) => {
  const { stage, browser } = await opened(t);
  const { peer } = await browser.leader({ seq: 4 });
  const lost = (message) => message.frame?.event_id === "e-5";
  const { tab: second } = await browser.follower({ BroadcastChannel: losing(lost) });
  const holed = next(second, "event");
  peer.event(5);
  peer.event(6);
  assert.equal((await holed).seq, 6);
  const ready = next(second, "ready");
  stage.clock.advance(1_000);
  assert.deepEqual(await ready, { type: "ready", seq: 6, epoch: EPOCH, recovered: false });
  assert.equal(stage.strangers, 0); // the shared connection is left alone
});

/** A channel on which messages get lost. */
function losing(lost) {
  return class {
    constructor(name) {
      this.channel = new BroadcastChannel(name);
    }

    set onmessage(handler) {
      this.channel.onmessage = (event) => lost(event.data) || handler(event);
    }

    postMessage(message) {
      this.channel.postMessage(message);
    }

    close() {
      this.channel.close();
    }
  };
}

test("another person's tab shares nothing, and neither does one that must not", async (t) => {
  const { stage, browser } = await opened(t);
  await browser.leader();
  for (const options of [{ person: "bob" }, { share: false }, { person: "" }, { locks: null }]) {
    const tab = browser.tab({ ...options, ...(options.person === "bob" && { locks: new Locks() }) });
    (await stage.peer()).ready();
    await reached(tab, "live");
    assert.equal(tab.role, options.person === "bob" ? "leader" : "alone");
  }
});

test("a tab that closes while it waits leaves no trace", async (t) => {
  const { stage, browser } = await opened(t);
  const { tab: first } = await browser.leader();
  const { tab: second } = await browser.follower();
  second.close();
  const { tab: third } = await browser.follower();
  first.close();
  await stage.peer();
  assert.deepEqual([second.state, second.role, third.role], ["closed", "follower", "leader"]);
});

test("signed out means all tabs", async (t) => {
  const { browser } = await opened(t);
  const { peer } = await browser.leader();
  const { tab: second } = await browser.follower();
  peer.socket.close(4001);
  await reached(second, "signed out");
});
