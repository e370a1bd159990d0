"""Quotas of a source: events a day, and open at once; what was accepted before is never refused."""

from dataclasses import replace
from datetime import timedelta

import pytest

from notifications import tasks
from notifications.ingest import ingest
from notifications.models import Event
from notifications.states import Priority
from runtime.redis.client import client
from users.models import Source

INFO, NORMAL = Priority.INFORMATIONAL, Priority.NORMAL


@pytest.fixture(autouse=True)
def quiet(doorbells):
    yield
    for key in client().scan_iter("quota.*"):
        client().delete(key)


@pytest.fixture
def send(desk, ada, chat, now):
    """Send events with these ids to Ada, and return the code of each; "" if it was accepted."""

    def send(*ids, at=now, **quota):
        grant = replace(desk.grant, **quota)
        batch = [desk.envelope(ada, one, source=grant) for one in ids]
        return [ack.code for ack in ingest(batch, now=at)]

    return send


def test_what_is_above_the_quota_of_a_day_is_refused_and_the_next_day_is_another_one(send, now) -> None:
    assert send("a", "b", "c", events_per_day=2) == ["", "", "quota_exceeded"]
    assert send("c", events_per_day=2) == ["quota_exceeded"]
    assert Event.objects.count() == 2
    assert send("c", at=now + timedelta(days=1), events_per_day=2) == [""]


def test_a_duplicate_counts_nothing_and_is_answered_above_the_quota_too(desk, ada, send, now) -> None:
    assert send("a", "a", events_per_day=2) == ["", ""]
    assert send("b", events_per_day=2) == [""]
    [again] = ingest([desk.envelope(ada, "a", source=replace(desk.grant, events_per_day=2))], now=now)
    assert (again.duplicate, again.code) == (True, "")


def test_a_rejected_event_counts_nothing(desk, send, now) -> None:
    stranger = desk.envelope("nobody", "x", source=replace(desk.grant, events_per_day=1))
    assert [ack.code for ack in ingest([stranger], now=now)] == ["unknown_user"]
    assert send("a", events_per_day=1) == [""]


def test_a_count_that_redis_lost_is_that_of_the_stored_events(send) -> None:
    send("a", "b", events_per_day=3)
    client().flushdb()
    assert send("c", "d", events_per_day=3) == ["", "quota_exceeded"]


def test_above_the_quota_of_open_events_one_is_refused_until_another_ends(desk, send) -> None:
    Source.objects.update(open_events=2)
    assert send("a", "b", "c", open_events=2) == ["", "", "too_many_open"]
    Event.objects.filter(event_id="a").update(state="failed", final_at=desk.now)
    assert send("c", open_events=2) == ["too_many_open"]  # not counted again yet
    tasks.count_open_rows()
    assert send("c", open_events=2) == [""]


def test_what_ends_at_once_is_not_open(desk, ada, now) -> None:
    nobody_there = desk.envelope(ada, "i", priority=INFO, source=replace(desk.grant, open_events=1))
    for _ in range(3):
        assert [ack.code for ack in ingest([nobody_there], now=now)] == ["no_session"]


def test_a_source_without_a_quota_leaves_no_count(send) -> None:
    assert send("a") == [""]
    assert list(client().scan_iter("quota.*")) == []
