"""Many sockets at once: all of them cut, and a gateway that dies under them."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from config.env import ROOT
from tests.faults import edge
from tests.faults.edge import call, judge_calm, port_of, published
from tests.faults.ledger import arrivals
from tests.faults.run import scenario
from tests.faults.stage import Stage
from tests.kit.raw_websocket import AsyncRawSocket
from tests.kit.sign_in import token_for

_POOL = 10  # DATABASE_POOL_SIZE
_PER_ADDRESS = 50


@scenario("V4", "thousands of sockets cut at once", TOCSIN_SOCKETS_PER_ADDRESS=str(_PER_ADDRESS))
def all_cut(stage: Stage) -> None:
    """All are back within a minute, and Postgres is asked no more than its pool allows."""
    count = stage.scaled(5_000, 200)
    published(stage, "p0", 2)
    tokens = [
        token_for(f"p{number % stage.size.persons}", exp=int(time.time()) + 850) for number in range(count)
    ]
    with _swarm(stage, tokens) as swarm, _watched(stage) as worst:
        came_s = stage.until(lambda: swarm["open"] == count, within_s=180, what="everybody is there")
        stage.figure("came for the first time within, s", came_s)
        refused = swarm["refused"]
        swarm.send("cut")
        stage.until(lambda: swarm["open"] < count, within_s=20, what="all are cut")
        stage.until(lambda: swarm["open"] == count, within_s=120, what="everybody is back")
        stage.figure("sockets", swarm["open"], limit=str(count), holds=swarm["open"] == count)
        back_s = float(swarm["slowest_s"])
        stage.figure("all back within, s", back_s, limit="≤ 60", holds=back_s <= 60)
        stage.figure("attempts that were sent away", swarm["refused"] - refused)
    most = worst["connections"]
    stage.figure("Postgres connections of the gateway", most, limit=f"≤ {_POOL}", holds=most <= _POOL)
    stage.figure("largest memory of the gateway, MiB", worst["rss_mib"])
    judge_calm(stage)
    stage.struck()
    stage.settle()


class _Swarm(dict):
    """The swarm's last status, and its input."""

    process: "subprocess.Popen[str]"

    def send(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()


@contextmanager
def _swarm(stage: Stage, tokens: list[str]) -> Iterator[_Swarm]:
    swarm = _Swarm(open=0, refused=0, slowest_s=0.0)
    swarm.process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.swarm"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def listen() -> None:
        assert swarm.process.stdout is not None
        for line in swarm.process.stdout:
            swarm.update(json.loads(line))

    reader = threading.Thread(target=listen, daemon=True)
    reader.start()
    try:
        swarm.send(json.dumps({"port": port_of(stage), "tokens": tokens, "per_address": _PER_ADDRESS}))
        yield swarm
    finally:
        swarm.process.kill()
        swarm.process.wait()
        reader.join(10)


@contextmanager
def _watched(stage: Stage) -> Iterator[dict[str, float]]:
    """Look at the gateway's connections to Postgres and its memory all the while; keep the worst."""
    worst, over = {"connections": 0, "rss_mib": 0.0}, threading.Event()
    gateway, port = psutil.Process(stage.system.supervisor.children["web"].pid), stage.system.postgres.port

    def look() -> None:
        while not over.wait(0.5):
            rss_mib = gateway.memory_info().rss / 2**20
            sql = "SELECT client_port FROM pg_stat_activity WHERE client_port > 0"
            ports = {row[0] for row in stage.system.query(sql)}
            held = _sockets_to(gateway.pid, port)
            worst["connections"] = max(worst["connections"], len(ports & held))
            worst["rss_mib"] = max(worst["rss_mib"], rss_mib)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield worst
    finally:
        over.set()
        watcher.join(10)


def _sockets_to(pid: int, port: int) -> set[int]:
    """Return the local ports of a process's connections to `port`; psutil would look at all thousands."""
    inodes = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            inodes.add(os.readlink(f"/proc/{pid}/fd/{name}").removeprefix("socket:[").rstrip("]"))
        except OSError:
            continue
    found = set()
    with open("/proc/net/tcp") as lines:
        next(lines)
        for line in lines:
            parts = line.split()
            if int(parts[2].split(":")[1], 16) == port and parts[9] in inodes:
                found.add(int(parts[1].split(":")[1], 16))
    return found


@scenario("R5", "a gateway that hangs, then is killed, under its sockets")
def ghosts(stage: Stage) -> None:
    """A person with only dead sockets is notified on the next channel; dead sockets are removed soon."""
    persons = [f"p{number}" for number in range(stage.scaled(200, 10))]
    gateway, port = edge.another_gateway(stage)
    asyncio.run(_leave_there(stage, port, persons))
    shown = [_sockets(stage, name) for name in persons[:10]]
    stage.figure("sockets shown of the first 10", sum(shown), limit="10", holds=shown == [1] * len(shown))

    gateway.send(signal.SIGSTOP)  # it keeps its subscriptions and answers nothing
    hanging = _critical(stage, persons)
    waits = _first_tries(stage, hanging)
    timeout_s = 5.0 if stage.full else 2.0
    stage.figure("CRITICAL to a ghost, next channel after, s", max(waits), limit=f"≤ {timeout_s + 5:g}",
                 holds=max(waits) <= timeout_s + 5)  # fmt: skip

    gateway.held = True
    stage.system.supervisor.kill("web2")
    stage.struck()
    gone_s = stage.until(
        lambda: not any(_sockets(stage, name) for name in persons), within_s=90, what="no ghost is shown"
    )
    stage.figure("ghosts gone within, s", gone_s, limit="≤ 60", holds=gone_s <= 60)
    direct = _first_tries(stage, _critical(stage, persons))
    stage.figure("CRITICAL afterwards, to its first try, s", max(direct), limit=f"< {timeout_s:g}",
                 holds=max(direct) < timeout_s)  # fmt: skip
    del stage.system.supervisor.children["web2"]
    stage.settle()


async def _leave_there(stage: Stage, port: int, persons: list[str]) -> None:
    """Open a socket for each there and never answer; the connections stay when this function has ended."""
    _left.clear()
    _left.extend(
        [
            await AsyncRawSocket.signed_in(port, token_for(name, exp=int(time.time()) + 850))
            for name in persons
        ]
    )


_left: list = []


def _sockets(stage: Stage, name: str) -> int:
    return len(call(stage, "GET", f"/users/{name}/reachability", stage.system.api_key).json()["sockets"])


def _critical(stage: Stage, persons: list[str]) -> list[str]:
    items = stage.items(len(persons))
    for item, name in zip(items, persons, strict=True):
        item["user_id"] = name
    stage.produce(items, rate=50, batch=1).join(120)
    return [item["event_id"] for item in items]


def _first_tries(stage: Stage, ids: list[str]) -> list[float]:
    """Wait until all have ended; return how long each took from its acceptance to another channel."""
    stage.settle()
    first: dict[str, float] = {}
    for ref, _, at in arrivals(stage.system.written_log(), stage.run):
        first.setdefault(ref, at)
    return [first.get(event_id, float("inf")) - stage.diary.acked[event_id] for event_id in ids]
