"""NORMAL events/s all the way: stream, commit, page, until the page's confirmation is committed.

One ingress process, one gateway process, 100 persons with a page each. The pages confirm what a read brought,
in one frame. Beside it the same ingress with persons who are away, which ends with the commit.
"""

import json
import re
import statistics
import time
import uuid

import gateways  # noqa: F401  puts benchmarks/ on the path
import sides
from crowd import Crowd
from results import Row, record, scale
from system import process, servers, source

from runtime.redis.client import client
from tests.kit.eventually import eventually
from tests.kit.raw_websocket import client_frame

PERSONS = 100
TIMEOUT_S = 120
_EVENT_ID = re.compile(rb'"event_id":"([^"]+)"')


def add_to_stream(external_ids: list[str], count: int) -> None:
    """Write events to the ingest stream, in batches as a busy producer does."""
    from gateway.ingress.streams import STREAM
    from proto.tocsin.v1 import user_events_pb2 as wire

    payload = json.dumps({"order_id": "1001", "symbol": "BTC/USDT", "side": "buy"}).encode()
    run, now_ms = uuid.uuid4().hex[:8], int(time.time() * 1000)
    pipe = client().pipeline(transaction=False)
    for number in range(count):
        message = wire.UserEvent(
            event_id=f"{run}-{number}",
            user_id=external_ids[number % len(external_ids)],
            timestamp=now_ms,
            event_type=wire.ORDER_FILLED,
            payload=payload,
            delivery=wire.DeliverySpec(priority=wire.NORMAL),
            source="bench",
            ack_timeout_ms=60_000,
        )
        pipe.xadd(STREAM, {"e": message.SerializeToString()})
    pipe.execute()


def committed(**which: object) -> int:
    from notifications.models import Event

    return Event.objects.filter(**which).count()


def confirm_all(crowd: Crowd, count: int) -> None:
    """Confirm what comes until every event has come to its page at least once."""
    deadline = time.monotonic() + TIMEOUT_S
    seen: set[bytes] = set()
    rest = dict.fromkeys(crowd.sockets, b"")
    while len(seen) < count:
        for opened, data in crowd.arrivals(0.2):
            whole = rest[opened.fileno()] + data
            found = list(_EVENT_ID.finditer(whole))
            rest[opened.fileno()] = whole[found[-1].end() :] if found else whole
            ids = [match.group(1).decode() for match in found]
            seen.update(match.group(1) for match in found)
            for start in range(0, len(ids), 500):
                frame = {"type": "ack", "event_ids": ids[start : start + 500]}
                opened.sendall(client_frame(json.dumps(frame).encode()))
        if time.monotonic() > deadline:
            raise SystemExit(f"{len(seen)} of {count} events came to a page")


def await_rows(count: int, **which: object) -> None:
    eventually(lambda: committed(**which) >= count, TIMEOUT_S, what=f"{count} rows {which}")


def confirmed_per_s(name: str, keys: dict[str, int], count: int) -> float:
    external_ids = list(keys)
    with sides.running(name, keys) as side:
        crowd = side.crowd(external_ids)
        crowd.open(at_once=10)
        before = committed(evidence="client")
        began = time.perf_counter()
        add_to_stream(external_ids, count)
        confirm_all(crowd, count)
        await_rows(before + count, evidence="client")
        took = time.perf_counter() - began
        crowd.close()
    return count / took


def accepted_per_s(keys: dict[str, int], count: int) -> float:
    before, began = committed(), time.perf_counter()
    add_to_stream(list(keys), count)
    await_rows(before + count)
    return count / (time.perf_counter() - began)


def know_the_tables() -> None:
    """Let Postgres count what autovacuum counts within a database's first minute: its plans depend on it."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def main() -> None:
    count, rounds = scale(quick=(2_000, 1), full=(10_000, 3))
    with servers():
        source()
        keys = sides.persons(PERSONS)
        rows = []
        with process("manage.py", "ingest_streams"):
            accepted_per_s(keys, count // 5)  # warm
            know_the_tables()
            alone = statistics.median(accepted_per_s(keys, count) for _ in range(rounds))
            print(f"the ingress alone, nobody there: {alone:,.0f} events/s", flush=True)
            for name in [side for side in sides.names() if side.startswith(sides.OURS)]:
                rate = statistics.median(confirmed_per_s(name, keys, count) for _ in range(rounds))
                rows.append(Row(name, rate, "events/s"))
                print(f"{name}: {rate:,.0f} confirmed events/s", flush=True)
    record("confirmed", "stream to committed confirmation", rows, note=f"ingress alone {alone:,.0f}/s")


if __name__ == "__main__":
    main()
