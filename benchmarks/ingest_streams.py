"""Events/s that the Redis Streams ingress commits, beside the bare INSERT of the same rows.

10,000 NORMAL events of 500 offline persons without destinations. The limit is one INSERT statement per
batch of 500 rows with the same columns, one commit each: no parsing, no routing, no acks, no cursors.
"""

import gc
import json
import time
from typing import Any

from system import people, report, servers, source

EVENTS = 10_000
PERSONS = 500
BATCH = 500


def messages(persons: list[str]) -> list[bytes]:
    from proto.tocsin.v1 import user_events_pb2 as wire

    payload = json.dumps(
        {"order_id": "1001", "symbol": "BTC/USDT", "side": "buy", "fill_quantity": "0.5"}
    ).encode()
    now_ms = int(time.time() * 1000)
    return [
        wire.UserEvent(
            event_id=f"event-{number}",
            user_id=persons[number % len(persons)],
            timestamp=now_ms,
            event_type=wire.ORDER_FILLED,
            payload=payload,
            delivery=wire.DeliverySpec(priority=wire.NORMAL),
            source="bench",
        ).SerializeToString()
        for number in range(EVENTS)
    ]


def through_the_stream(events: list[bytes]) -> float:
    """Return events/s from the first read to the last commit, acks and XACKs included."""
    import redis
    from django.conf import settings

    from gateway.ingress.streams import STREAM, StreamIngress, connect
    from notifications.models import Event

    client = connect(settings.REDIS_URL)
    ingress = StreamIngress(client, "bench", block_ms=10)
    pipe = client.pipeline(transaction=False)
    for event in events:
        pipe.xadd(STREAM, {"e": event})
    pipe.execute()
    try:
        ingress.step()
    except redis.ResponseError:
        ingress._create_group()
    started = time.perf_counter()
    while Event.objects.count() < EVENTS:
        ingress.step()
    return EVENTS / (time.perf_counter() - started)


def bare_insert() -> float:
    """Return rows/s of the bare INSERT: the rows just stored, copied back under other ids."""
    from notifications.models import Event
    from notifications.store.events import EVENT_COLUMNS, INSERT_EVENTS
    from runtime.postgres.cursor import binary_cursor

    rows: list[dict[str, Any]] = [
        {name: getattr(event, name) for name in EVENT_COLUMNS} for event in Event.objects.all()
    ]
    for number, row in enumerate(rows):
        row["event_id"] = f"bare-{number}"
        row["seq"] += 1_000_000
        for name, kind in EVENT_COLUMNS.items():
            if kind in {"json", "jsonb"}:
                row[name] = json.dumps(row[name])
            elif kind == "bytea":
                row[name] = bytes(row[name])
    batches = [
        [[row[name] for row in rows[start : start + BATCH]] for name in EVENT_COLUMNS]
        for start in range(0, len(rows), BATCH)
    ]
    started = time.perf_counter()
    for batch in batches:
        with binary_cursor() as cursor:
            cursor.execute(INSERT_EVENTS, batch)
    return len(rows) / (time.perf_counter() - started)


def main() -> None:
    with servers():
        source()
        events = messages(people(PERSONS, with_telegram=False))
        gc.freeze()  # as `manage.py ingest_streams` does
        gc.set_threshold(20_000)
        ours = through_the_stream(events)
        report("stream ingress", ours, bare_insert(), "events/s", "bare INSERT")


if __name__ == "__main__":
    main()
