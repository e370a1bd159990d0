"""Clients that take too little or write too much, beside others that behave."""

import time

import psutil

from tests.faults.crowd import Crowd, StampedProducer
from tests.faults.run import scenario
from tests.faults.stage import Stage
from tests.kit.sign_in import token_for

_ACK_TIMEOUT_MS = 300_000  # what a slow client missed waits for it, and does not go to another channel
_TEXT_BYTES = 8_000


@scenario("V1", "as many slow readers as normal ones, under a steady load")
def slow_readers(stage: Stage) -> None:
    """A client that does not read is cut and catches up later; others and the memory are not affected."""
    half = stage.scaled(500, 20)
    crowd = _crowd(stage, {**_roles("slow", 0, half), **_roles("reader", half, 2 * half)})
    rate, seconds = stage.scaled(200, 40), stage.scaled(180, 60)
    _publish(stage, crowd, rate * 10, rate).join(120)  # what is allocated once is not the subject
    web = psutil.Process(stage.system.supervisor.children["web"].pid)
    before, highest = web.memory_info().rss, 0
    began = time.time()
    crowd.tell("go")
    producer = _publish(stage, crowd, rate * seconds, rate)
    while not producer.done:
        highest = max(highest, web.memory_info().rss)
        stage.pause(0.5)
    _calm_down(stage, crowd)
    grown_mib = (highest - before) / 2**20
    stage.figure("memory of the gateway, MiB more", grown_mib, limit="< 64", holds=grown_mib < 64)
    _others(stage, crowd, began, limit_s=1.0)
    _closes(stage, crowd, "slow", half, within_s=35)


@scenario("V2", "clients that write and never read")
def writers_that_never_read(stage: Stage) -> None:
    half = stage.scaled(50, 10)
    crowd = _crowd(stage, {**_roles("writer", 0, half), **_roles("reader", half, 2 * half)})
    began = time.time()
    crowd.tell("go")
    rate = stage.scaled(50, 10)
    _publish(stage, crowd, rate * 60, rate).join(300)
    _calm_down(stage, crowd)
    _others(stage, crowd, began, limit_s=1.0)
    _closes(stage, crowd, "writer", half, within_s=35)


@scenario("V3", "clients that send 1,000 frames a second")
def floods(stage: Stage) -> None:
    half = stage.scaled(100, 10)
    crowd = _crowd(stage, {**_roles("flooder", 0, half), **_roles("reader", half, 2 * half)})
    rate = stage.scaled(100, 20)
    _publish(stage, crowd, rate * 5, rate, only="reader").join(60)
    began = time.time()
    crowd.tell("go")
    _publish(stage, crowd, rate * stage.scaled(60, 15), rate, only="reader").join(300)
    _calm_down(stage, crowd)
    _others(stage, crowd, began, limit_s=0.5)
    _closes(stage, crowd, "flooder", half, within_s=2)
    codes = {entry["code"] for entry in crowd.entries("closed", role="flooder") if entry["after_s"]}
    stage.figure("their close codes", " ".join(map(str, sorted(codes))), limit="4029", holds=codes == {4029})


def _roles(role: str, first: int, last: int) -> dict[str, str]:
    return {f"p{number}": role for number in range(first, last)}


def _crowd(stage: Stage, roles: dict[str, str]) -> Crowd:
    crowd = Crowd(stage.system.home, stage.system.port, roles, token_for)
    stage.clients.append(crowd)  # type: ignore[arg-type]
    stage.until(crowd.all_open, within_s=90, what="every socket is ready")
    return crowd


def _publish(stage: Stage, crowd: Crowd, count: int, rate: int, *, only: str = "") -> StampedProducer:
    """Publish to the crowd's members in turn."""
    persons = [person for person, role in crowd.roles.items() if not only or role == only]
    items = stage.items(count, priority="NORMAL")
    for number, item in enumerate(items):
        item["user_id"] = persons[number % len(persons)]
        item["payload"]["text"] = "x" * _TEXT_BYTES
        item["ack_timeout_ms"] = _ACK_TIMEOUT_MS
    system = stage.system
    producer = StampedProducer(system.url, system.api_key, items, rate=rate, batch=5, diary=stage.diary)
    stage.producers.append(producer)
    producer.start()
    return producer


def _calm_down(stage: Stage, crowd: Crowd) -> None:
    crowd.tell("calm")
    stage.struck()
    took_s = stage.settle(within_s=120)
    stage.figure("everything confirmed after the last event, s", took_s)


def _others(stage: Stage, crowd: Crowd, since: float, *, limit_s: float) -> None:
    events = crowd.entries("event", role="reader")
    took = sorted(entry["took_s"] for entry in events if entry["at"] > since)
    p99 = took[int(len(took) * 0.99)] if took else float("inf")
    stage.figure("others, publish to page, p50 ms", 1000 * took[len(took) // 2] if took else float("inf"))
    stage.figure("others, p99 ms", 1000 * p99, limit=f"< {1000 * limit_s:g}", holds=p99 < limit_s)
    others = [entry for entry in crowd.entries("closed", role="reader") if entry["at"] > since]
    stage.figure("others' sockets closed", len(others), limit="0", holds=not others)
    stage.figure("clients' process, % of one core", 100 * crowd.cpu_share())


def _closes(stage: Stage, crowd: Crowd, role: str, members: int, *, within_s: float) -> None:
    """Every member was closed, each time soon enough, and has all events that were promised to it."""
    closes = [entry for entry in crowd.entries("closed", role=role) if entry["after_s"]]
    closed = len({entry["person"] for entry in closes})
    slowest = max((entry["after_s"] for entry in closes), default=float("inf"))
    stage.figure(f"{role}s that were closed", f"{closed} of {members}", limit="all", holds=closed == members)
    stage.figure(f"{role}s, times closed", len(closes))
    stage.figure("closed after, at most s", slowest, limit=f"≤ {within_s:g}", holds=slowest <= within_s)
    theirs = {
        item["event_id"]
        for producer in stage.producers
        for item in producer._items
        if crowd.roles.get(item["user_id"]) == role
    }
    missed = (theirs & stage.diary.acked.keys()) - {entry["event_id"] for entry in crowd.entries("event")}
    stage.figure(f"events that {role}s never got", len(missed), limit="0", holds=not missed)
