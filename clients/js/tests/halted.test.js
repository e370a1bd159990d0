// A tab whose script halts: it keeps its lock and its socket, and says nothing any more.

import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { test } from "node:test";

import { collected, Locks, MemoryStorage, next, reached, Stage } from "./stage.js";

/** A channel of one tab that can be halted: what it says and hears then waits. */
class Halting {
  halted = false;
  waiting = [];

  get Channel() {
    const tab = this;
    return class {
      #channel;

      constructor(name) {
        this.#channel = new BroadcastChannel(name);
      }

      set onmessage(handler) {
        this.#channel.onmessage = (event) => tab.run(() => handler(event));
      }

      postMessage(message) {
        tab.run(() => this.#channel.postMessage(message));
      }

      close() {
        this.#channel.close();
      }
    };
  }

  run(what) {
    if (this.halted) this.waiting.push(what);
    else what();
  }

  wake() {
    this.halted = false;
    for (const what of this.waiting.splice(0)) what();
  }
}

async function tabs(t, count) {
  const stage = await Stage.begin(t);
  const locks = new Locks();
  const scripts = new Map(); // tab -> what halts it
  const open = (random) => {
    const script = new Halting();
    const options = { person: "ann", locks, storage: new MemoryStorage(), BroadcastChannel: script.Channel, random };
    const tab = stage.client(options);
    scripts.set(tab, script);
    return tab;
  };
  const leader = open(() => 0.5);
  const peer = await stage.peer();
  peer.ready({ seq: 4 });
  await reached(leader, "live");
  const followers = [];
  while (followers.length < count) {
    const random = (followers.length + 1) / 30;
    followers.push(open(() => random));
    await next(followers.at(-1), "ready");
  }
  const halt = (tab) => (scripts.get(tab).halted = true);
  const wake = (tab) => scripts.get(tab).wake();
  const leaders = () => [leader, ...followers].filter((tab) => tab.role === "leader" && !scripts.get(tab).halted);
  return { stage, leader, peer, followers, open, halt, wake, leaders };
}

/** Let time pass, with what the tabs say to each other meanwhile. */
async function pass(stage, ms) {
  for (let passed = 0; passed < ms; passed += 10) {
    stage.clock.advance(10);
    for (let turns = 0; turns < 3; turns += 1) await turn();
  }
}

test("another tab leads within 5 s, although the halted one keeps its lock", async (t) => {
  const { stage, leader, peer, followers, halt, leaders } = await tabs(t, 19);
  const seen = followers.map((tab) => collected(tab, "event"));
  peer.event(5);
  await peer.receive();
  halt(leader);
  await pass(stage, 5_000);
  assert.equal(leaders().length, 1);
  const successor = await stage.peer();
  assert.equal(successor.query.get("seq"), "5");
  successor.ready({ seq: 6, recovered: true });
  successor.event(6);
  while (!(await successor.receive()).event_ids?.includes("e-6"));
  await pass(stage, 20);
  for (const events of seen) assert.deepEqual(events.map(({ seq }) => seq), [5, 6]);
  assert.equal(stage.strangers, 0);
});

test("a leader that answers keeps leading", async (t) => {
  const { stage, leader, leaders } = await tabs(t, 3);
  await pass(stage, 20_000);
  assert.deepEqual(leaders(), [leader]);
  assert.equal(stage.strangers, 0);
});

test("a tab that wakes follows, has every event once, and loses nothing that it said", async (t) => {
  const { stage, leader, peer, halt, wake, leaders } = await tabs(t, 2);
  const events = collected(leader, "event");
  halt(leader);
  await pass(stage, 5_000);
  const successor = await stage.peer();
  successor.ready({ seq: 4, recovered: true });
  await reached(leaders()[0], "live");
  leader.read(["said while halted"]);
  successor.event(5);
  wake(leader);
  await peer.closed;
  while ((await successor.receive()).type !== "read");
  await pass(stage, 20);
  assert.equal(leader.role, "follower");
  assert.deepEqual(events.map(({ seq }) => seq), [5]);
  successor.event(6);
  await pass(stage, 20);
  assert.deepEqual(events.map(({ seq }) => seq), [5, 6]);
  assert.equal(leader.state, "live");
});

test("a successor that halts is replaced as well", async (t) => {
  const { stage, leader, halt, wake, leaders } = await tabs(t, 3);
  halt(leader);
  await pass(stage, 5_000);
  const [second] = leaders();
  (await stage.peer()).ready({ seq: 4, recovered: true });
  wake(leader);
  halt(second);
  await pass(stage, 5_000);
  assert.equal(leaders().length, 1);
  assert.notEqual(leaders()[0], second);
});

test("a tab that opens while the leader is halted leads after a while", async (t) => {
  const { stage, leader, halt, open } = await tabs(t, 0);
  halt(leader);
  const late = open(() => 0.5);
  await pass(stage, 5_000);
  assert.equal(late.role, "leader");
});
