"""RabbitMQ dies, comes back, or loses its queues: what was accepted arrives, and nobody lends a hand."""

import time
from contextlib import contextmanager

import kombu
import psutil
import pytest

from tests.journeys.test_journey_faults import states
from tests.kit.eventually import eventually

RECOVERED_WITHIN_S = 60


def accept(system, count: int) -> list[str]:
    events = [system.event() for _ in range(count)]
    for event in events:
        assert system.api.post("/events", json=event).raise_for_status().json()["status"] == "QUEUED"
    return [event["event_id"] for event in events]


def all_delivered(system, ids: list[str]) -> bool:
    return states(system, ids) == {"delivered": len(ids)}


@pytest.fixture
def broker_away(system, rabbitmq):
    # RabbitMQ 3.10 writes a new quorum queue's registration a little later: killed in its first seconds,
    # the queue may come back without a leader (rabbitmq-server#10070).
    eventually(lambda: time.monotonic() > rabbitmq.settled_at, within_s=20)

    @contextmanager
    def away():
        rabbitmq.kill()
        try:
            yield
        finally:
            rabbitmq.start()

    return away


def test_workers_come_back_after_the_broker_was_killed(system, broker_away) -> None:
    before = accept(system, 5)
    eventually(lambda: all_delivered(system, before), within_s=20)
    with broker_away():
        meanwhile = accept(system, 5)  # a producer does not notice
    ids = before + meanwhile
    eventually(lambda: all_delivered(system, ids), within_s=RECOVERED_WITHIN_S)
    assert len(system.simulator.received()) == len(ids)
    after = system.publish(wait_s=30)
    assert (after["final"], after["status"]) == (True, "DELIVERED")


def test_a_purged_queue_is_rung_for_again(system, rabbitmq) -> None:
    workers = celery_processes(system)
    for process in workers:
        process.suspend()
    try:
        ids = accept(system, 12)
        with kombu.Connection(rabbitmq.url) as connection, connection.channel() as channel:
            # Two for each child are on their way to the worker already; the rest can be lost.
            eventually(lambda: waiting(channel) >= 6, within_s=20)
            assert channel.queue_purge("critical") >= 6
    finally:
        for process in workers:
            process.resume()
    eventually(lambda: all_delivered(system, ids), within_s=RECOVERED_WITHIN_S)
    assert len(system.simulator.received()) == len(ids)


def celery_processes(system) -> list[psutil.Process]:
    names = ("worker@%h", "control@%h")
    return [process for process in system.left_over() if any(name in process.cmdline() for name in names)]


def waiting(channel) -> int:
    return channel.queue_declare("critical", passive=True).message_count


def test_a_retry_that_falls_due_while_the_broker_is_away_follows_its_return(system, broker_away) -> None:
    system.simulator.misbehave("telegram", status=502, times=1)
    [event_id] = ids = accept(system, 1)
    eventually(lambda: tries(system, event_id) == [("TELEGRAM", "deferred")])
    with broker_away():
        pass  # longer than the backoff: a broker needs some seconds to start
    returned = time.monotonic()
    eventually(lambda: all_delivered(system, ids), within_s=RECOVERED_WITHIN_S)
    assert time.monotonic() - returned < RECOVERED_WITHIN_S
    assert [entry["outcome"] for entry in system.simulator.requests("telegram")] == ["refused", "accepted"]
    assert system.simulator.received("smtp") == []


def tries(system, event_id: str) -> list[tuple[str, str]]:
    return [(row["channel"], row["state"]) for row in system.story(event_id)["deliveries"]]
