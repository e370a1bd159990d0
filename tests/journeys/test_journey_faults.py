"""The stories under trouble: limits, bursts, a killed worker, and the same over the Redis stream."""

import json
import time
from itertools import pairwise

import psutil
import psycopg
import redis

from proto.tocsin.v1 import user_events_pb2 as wire
from tests.kit.eventually import eventually


def ending(ack: dict) -> tuple:
    return ack["final"], ack["status"], ack["delivered_via"], ack["evidence"]


def test_over_the_redis_stream_queued_comes_first_and_then_exactly_one_final_ack(system):
    broker = redis.Redis.from_url(system.values["REDIS_URL"])
    events = [system.event() for _ in range(3)]
    newest = broker.xrevrange("tocsin:acks:demo", count=1)
    after = newest[0][0] if newest else "0"
    for event in events:
        broker.xadd("tocsin:events", {"e": serialized(event)})
    acks: list[wire.EventAck] = []

    def all_final() -> bool:
        nonlocal after
        for _, entries in broker.xread({"tocsin:acks:demo": after}, block=500) or []:
            acks.extend(wire.EventAck.FromString(fields[b"a"]) for _, fields in entries)
            after = entries[-1][0]
        return sum(ack.final for ack in acks) >= len(events)

    eventually(all_final)
    time.sleep(1.5)  # the outbox looks every second: a second final ack would come now
    all_final()
    broker.close()
    for event in events:
        own = [ack for ack in acks if ack.event_id == event["event_id"]]
        assert [(ack.status, ack.final) for ack in own] == [(wire.QUEUED, False), (wire.DELIVERED, True)]
        assert own[1].delivered_via == wire.TELEGRAM
        assert own[1].evidence == wire.EVIDENCE_TRANSPORT
    assert len(acks) == 2 * len(events)
    assert len(system.simulator.received("telegram")) == len(events)


def serialized(event: dict) -> bytes:
    return wire.UserEvent(
        source="demo",
        event_id=event["event_id"],
        user_id=event["user_id"],
        timestamp=event["timestamp"],
        event_type=event["event_type"],
        payload=json.dumps(event["payload"]).encode(),
        delivery=wire.DeliverySpec(priority="CRITICAL"),
    ).SerializeToString()


def test_a_rate_limit_is_waited_for(system):
    system.simulator.misbehave("telegram", retry_after_s=1, times=2)
    ack = system.publish(content={"title": "The one that is limited"})
    assert ending(ack) == (True, "DELIVERED", "TELEGRAM", "TRANSPORT")
    # A notice of the system itself may come between, and have one of the refusals.
    asked = [one for one in system.simulator.requests("telegram") if "is limited" in one.get("text", "")]
    refused, accepted = [entry["outcome"] for entry in asked[:-1]], asked[-1]["outcome"]
    assert set(refused) == {"refused"} and accepted == "accepted"
    waits_ms = [later["at_ms"] - earlier["at_ms"] for earlier, later in pairwise(asked)]
    assert all(990 <= wait_ms < 4_000 for wait_ms in waits_ms), waits_ms
    assert system.simulator.received("smtp") == []


def test_a_burst_is_delivered_exactly_once_each(system):
    events = [system.event() for _ in range(200)]
    answer = system.api.post("/events/batch", json={"events": events}).raise_for_status().json()
    assert {ack["status"] for ack in answer["acks"]} == {"QUEUED"}
    eventually(lambda: len(system.simulator.received("telegram")) >= 200, within_s=30)
    ids = [event["event_id"] for event in events]
    eventually(lambda: states(system, ids) == {"delivered": 200})
    assert len(system.simulator.received()) == 200
    assert len({entry["message_id"] for entry in system.simulator.received()}) == 200


def states(system, event_ids: list[str]) -> dict[str, int]:
    query = "SELECT state, count(*) FROM notifications_event WHERE event_id = ANY(%s) GROUP BY state"
    with psycopg.connect(system.values["DATABASE_URL"]) as database:
        return dict(database.execute(query, [event_ids]).fetchall())


def test_a_broken_provider_falls_back_to_the_next_and_a_dead_letter_says_why(system):
    system.simulator.misbehave("telegram", status=502)
    system.simulator.misbehave("smtp", error="mailbox_full")
    ack = system.publish(wait_s=30, expires_at=int(time.time() * 1000) + 15_000)
    assert (ack["final"], ack["status"], ack["code"]) == (True, "ACK_ERROR", "expired")
    rows = {row["channel"]: row for row in system.story(ack["event_id"])["deliveries"]}
    assert {channel: row["error"] for channel, row in rows.items()} == {
        "TELEGRAM": "Telegram: bad gateway",
        "EMAIL": "the mail server said 452 4.2.2",  # the last channel goes on until the event expires
    }
    assert len(rows["TELEGRAM"]["attempts"]) == 3
    assert len(rows["EMAIL"]["attempts"]) > 1
    assert system.simulator.received() == []


def test_a_provider_that_is_down_costs_later_critical_events_no_time(system):
    system.simulator.misbehave("telegram", status=502)
    # A dozen at once: enough failures within the breaker's window, however slow the machine.
    burst = {"events": [system.event() for _ in range(12)]}
    system.api.post("/events/batch", json=burst).raise_for_status()
    eventually(lambda: len(system.simulator.received("smtp")) == 12, within_s=40)
    asked = len(system.simulator.requests("telegram"))
    started = time.monotonic()
    ack = system.publish()
    assert ending(ack) == (True, "DELIVERED", "EMAIL", "TRANSPORT")
    assert time.monotonic() - started < 5
    assert system.story(ack["event_id"])["deliveries"][0]["error"] == "TELEGRAM is down"
    assert len(system.simulator.requests("telegram")) - asked <= 3  # probes at most
    system.simulator.misbehave("telegram")
    eventually(lambda: ending(system.publish())[2] == "TELEGRAM", within_s=30)


def test_a_killed_worker_child_is_replaced_and_what_waits_is_sent(system):
    workers = {process.pid for process in system.left_over() if "worker@%h" in process.cmdline()}
    children = [psutil.Process(pid) for pid in workers if psutil.Process(pid).ppid() in workers]
    assert len(children) == 2
    for child in children:
        child.kill()
    acks = [system.publish() for _ in range(3)]
    assert {ending(ack) for ack in acks} == {(True, "DELIVERED", "TELEGRAM", "TRANSPORT")}
    assert len(system.simulator.received()) == 3
