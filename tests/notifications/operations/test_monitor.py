"""The guarantee monitor: what is late, what is stuck, and what nobody looks after."""

from datetime import timedelta

import pytest

from notifications import store
from notifications.models import Delivery, Event
from notifications.operations import canary, monitor
from notifications.operations.replay import Operator, replay
from notifications.operations.search import EventFilter
from notifications.settings import pipeline_settings
from notifications.states import FailureKind, Priority, Surface


def after(now, seconds):
    return now + timedelta(seconds=seconds)


def test_with_nothing_unfinished_there_is_no_age(desk, now) -> None:
    found = monitor.snapshot(now=now)
    assert (found.oldest_critical_s, found.overdue, found.orphaned, found.dead_letters) == (0.0, 0, 0, 0)
    assert found.unfinished == {"NORMAL": 0, "CRITICAL": 0}
    assert set(found.recent.values()) == {0}


def test_the_oldest_critical_event_without_an_end_counts(desk, ada, chat, now) -> None:
    desk.event(ada, chat, event_id="normal")
    assert monitor.oldest_critical_s(now=after(now, 90)) == 0.0
    desk.event(ada, chat, event_id="old", priority=Priority.CRITICAL)
    Event.objects.filter(event_id="old").update(accepted_at=after(now, -30))
    desk.event(ada, chat, event_id="new", priority=Priority.CRITICAL)
    assert monitor.oldest_critical_s(now=after(now, 90)) == 120.0
    assert monitor.oldest_critical_s(now=after(now, 90), source_id=desk.source.pk + 1) == 0.0
    Event.objects.filter(event_id="old").update(state="failed", final_at=now)
    assert monitor.oldest_critical_s(now=after(now, 90)) == 90.0


def test_a_replayed_event_waits_since_it_was_due(desk, ada, chat, now, records, override) -> None:
    override(replay_per_s=0.01)
    for event_id in ("e1", "e2"):
        event = desk.event(ada, chat, event_id=event_id, priority=Priority.CRITICAL)
        records.failed(desk.delivery(event), FailureKind.MESSAGE)
    replay(EventFilter(), by=Operator(Surface.COMMAND, "tests"), now=after(now, 1000))
    assert monitor.oldest_critical_s(now=after(now, 1030)) == 30.0
    Event.objects.filter(event_id="e1").update(state="failed", final_at=now)
    assert monitor.oldest_critical_s(now=after(now, 1030)) == 0.0  # the other one is due at 1100


def test_a_row_is_overdue_a_minute_after_its_time(desk, ada, chat, now) -> None:
    desk.event(ada, chat)
    Delivery.objects.update(ring_at=now)
    assert monitor.overdue(now=after(now, 59)) == 0
    assert monitor.overdue(now=after(now, 60)) == 1
    store.sweep_deliveries(now=after(now, 60), settings=pipeline_settings())
    assert monitor.overdue(now=after(now, 60)) == 0


def test_an_accepted_event_with_nothing_open_is_an_orphan(desk, ada, chat, mailbox, now, records) -> None:
    event = desk.event(ada, chat, mailbox)
    assert monitor.orphaned() == 0
    records.failed(desk.delivery(event), FailureKind.TEMPORARY)
    assert monitor.orphaned() == 0
    Delivery.objects.update(ring_at=None, ended_at=now)
    assert monitor.orphaned() == 1
    Event.objects.update(state="failed", final_at=now)
    assert monitor.orphaned() == 0


def test_events_are_counted_by_state_and_priority(desk, ada, chat, now) -> None:
    desk.event(ada, chat, event_id="a", priority=Priority.CRITICAL)
    desk.event(ada, chat, event_id="b")
    desk.event(ada, event_id="dead")
    found = monitor.snapshot(now=after(now, 1))
    assert found.unfinished == {"NORMAL": 1, "CRITICAL": 1}
    assert (found.dead_letters, found.recent["accepted"], found.recent["failed"]) == (1, 2, 1)
    later = monitor.snapshot(now=after(now, 301))
    assert (later.dead_letters, later.recent["failed"]) == (1, 0)


@pytest.fixture
def canaries(now):
    """Every queue is consumed."""
    for queue in canary.queues():
        canary.mark(queue, now=now)


def test_all_is_well(desk, ada, chat, now, canaries) -> None:
    desk.event(ada, chat, priority=Priority.CRITICAL)
    assert monitor.problems(now=after(now, 5)) == []


def test_each_ailment_is_named(desk, ada, chat, now, canaries, override) -> None:
    override(heartbeat_critical_age_s=100, canary_max_age_s=200)
    desk.event(ada, chat, event_id="open", priority=Priority.CRITICAL)
    assert monitor.problems(now=after(now, 50)) == []
    assert monitor.problems(now=after(now, 101)) == ["oldest_critical", "overdue"]
    desk.event(ada, chat, event_id="orphan")
    Delivery.objects.filter(event__event_id="orphan").update(ring_at=None, ended_at=now)
    canary.mark("critical", now=after(now, 201))
    assert monitor.problems(now=after(now, 201)) == [
        "oldest_critical",
        "overdue",
        "orphaned",
        "canary_normal",
        "canary_control",
    ]


def test_stats_count_one_sources_events_of_the_window(desk, ada, chat, now, records) -> None:
    event = desk.event(ada, chat, event_id="sent")
    records.sent(desk.delivery(event))
    Event.objects.update(final_at=after(now, 0.25))
    desk.event(ada, event_id="dead", priority=Priority.CRITICAL, event_type="risk.alert")
    desk.event(ada, chat, event_id="before")
    Event.objects.filter(event_id="before").update(accepted_at=after(now, -3600))
    found = monitor.stats(desk.source.pk, now=after(now, 1), window_s=3600)
    assert found["by"] == {
        "type": {"ORDER_FILLED": 1, "risk.alert": 1},
        "priority": {"NORMAL": 1, "CRITICAL": 1},
        "state": {"delivered": 1, "failed": 1},
        "channel": {"TELEGRAM": 1},
    }
    assert found["delivered_within_ms"] == {"p50": 250, "p99": 250}
    others = monitor.stats(desk.source.pk + 1, now=now, window_s=3600)
    assert (others["by"]["state"], others["delivered_within_ms"]["p50"]) == ({}, None)


def test_looking_takes_one_query_each(desk, ada, chat, now, django_assert_num_queries) -> None:
    desk.event(ada, chat)
    with django_assert_num_queries(6):
        monitor.snapshot(now=now)
    with django_assert_num_queries(3):
        monitor.stats(desk.source.pk, now=now, window_s=60)
