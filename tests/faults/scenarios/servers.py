"""Servers that answer and refuse, stand still, or lose what they held."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import psutil
import psycopg

from tests.faults.producers import to_wire
from tests.faults.run import scenario
from tests.faults.stage import Stage


@scenario("F3", "Postgres read-only; Redis demoted, full and halted")
def refusing_servers(stage: Stage) -> None:
    """One after the other, under load. Only a read-only Postgres may refuse an event."""
    length_s = stage.scaled(20, 6)
    faults = {"demoted": _demoted, "full": _full, "halted": _halted, "read-only": _read_only}
    rate = stage.scaled(50, 8)
    producer = stage.publish(int(rate * 5 * length_s), rate=rate, batch=1, senders=16)
    slowest = 0.0
    for name, fault in faults.items():
        stage.pause(length_s / 4)
        started = time.time()
        with fault(stage):
            turned_s = stage.until(lambda: _status(stage) != "ok", within_s=15, what=f"{name} is seen")
            stage.pause(length_s)
        if fault is not _read_only:
            slowest = max([slowest, *(took for at, _, took in producer.diary.answered if at >= started)])
        stage.struck()
        back_s = stage.until(lambda: _status(stage) == "ok", within_s=40, what=f"{name} is over")
        stage.figure(f"{name}: readiness turns, s", turned_s, limit="≤ 5", holds=turned_s <= 5)
        stage.figure(f"{name}: readiness returns, s", back_s, limit="≤ 15", holds=back_s <= 15)
    stage.settle()
    sql = (
        "SELECT count(*) FROM notifications_attempt a JOIN notifications_delivery d ON d.id = a.delivery_id"
        " JOIN notifications_event e ON e.id = d.event_id"
        " WHERE e.event_id LIKE %s AND a.outcome IN ('unknown', 'lease_expired')"
    )
    unknown = stage.system.query(sql, f"{stage.run}-%")[0][0]
    ended = [name for name, child in stage.system.supervisor.children.items() if child.ends]
    stage.figure("outcomes called unknown", unknown, limit="0", holds=not unknown)
    stage.figure("slowest publish without Redis, s", slowest, limit="≤ 2", holds=slowest <= 2)
    stage.figure("processes that ended", len(ended), limit="0", holds=not ended)


def _status(stage: Stage) -> str:
    try:
        answer = httpx.get(f"{stage.system.url}/readyz", timeout=10, trust_env=False)
        return str(answer.json()["status"])
    except httpx.HTTPError:
        return "no answer"


@contextmanager
def _demoted(stage: Stage) -> Iterator[None]:
    with _told(stage, ("replicaof", "127.0.0.1", "1"), ("replicaof", "no", "one")):
        yield


@contextmanager
def _full(stage: Stage) -> Iterator[None]:
    with _told(stage, ("config", "set", "maxmemory", "1"), ("config", "set", "maxmemory", "0")):
        yield


@contextmanager
def _told(stage: Stage, refuse: tuple[str, ...], relent: tuple[str, ...]) -> Iterator[None]:
    with stage.system.redis() as client:
        client.execute_command(*refuse)
        try:
            yield
        finally:
            client.execute_command(*relent)


@contextmanager
def _halted(stage: Stage) -> Iterator[None]:
    with stage.system.redis() as client:
        server = psutil.Process(client.info("server")["process_id"])
    server.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.send_signal(signal.SIGCONT)


@contextmanager
def _read_only(stage: Stage) -> Iterator[None]:
    with psycopg.connect(stage.system.postgres.url(), autocommit=True) as admin:
        admin.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        admin.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            admin.execute("ALTER SYSTEM RESET default_transaction_read_only")
            admin.execute("SELECT pg_reload_conf()")


@scenario("L12", "FLUSHALL between the end of an event and the read of its final ack")
def flush_before_the_read(stage: Stage) -> None:
    """The producer reads nothing before the flush, and then sends everything once more."""
    items = stage.items(stage.scaled(20_000, 200))
    with stage.system.redis() as client:
        pipe = client.pipeline(transaction=False)
        for item in items:
            pipe.xadd("tocsin:events", {"e": to_wire(item)})
        pipe.execute()
        stage.until(_all_replied(stage, len(items)), within_s=300, what="every final ack is on the stream")
        client.flushall()
    stage.struck()
    stage.produce_to_stream(items)
    ids = [item["event_id"] for item in items]
    finals = stage.diary.finals
    read_s = stage.until(lambda: all(finals[key] for key in ids), within_s=120, what="all were read")
    stage.settle()
    counts = dict(Counter(finals[key] for key in ids))
    stage.figure("all final acks read after the loss, s", read_s)
    stage.figure("events by their final acks", counts, limit="1 each", holds=set(counts) == {1})


def _all_replied(stage: Stage, count: int) -> Callable[[], bool]:
    sql = "SELECT count(*) FROM notifications_event WHERE event_id LIKE %s AND replied_at IS NOT NULL"
    return lambda: stage.system.query(sql, f"{stage.run}-%")[0][0] == count
