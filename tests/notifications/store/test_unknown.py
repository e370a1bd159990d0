"""When the provider's answer was lost: never silently repeated, and marked where it is."""

from datetime import timedelta

import pytest

from notifications import store
from notifications.models import Attempt, Delivery, Event
from notifications.states import AttemptOutcome, Channel, FailureKind, Priority
from tests.notifications.desk import claim
from users.models import Destination

CRITICAL = Priority.CRITICAL


def test_a_normal_event_fails_and_is_not_repeated(desk, ada, chat, mailbox, records, now) -> None:
    event = desk.event(ada, chat, mailbox)
    effects = records.lost(desk.delivery(event))
    event.refresh_from_db()
    row = desk.delivery(event)
    assert (event.state, event.code, effects.finals) == ("failed", "outcome_unknown", [event.pk])
    assert (row.state, row.ended_at, row.ring_at) == ("unknown", now, None)
    assert (effects.rings, Delivery.objects.count()) == ([], 1)
    assert Attempt.objects.get().outcome == "unknown"


def test_a_critical_event_goes_on_to_the_next_channel_marked_as_a_possible_repeat(
    desk, ada, chat, mailbox, records, now
) -> None:
    event = desk.event(ada, chat, mailbox, priority=CRITICAL)
    effects = records.lost(desk.delivery(event))
    first, second = desk.delivery(event), desk.delivery(event, 1)
    assert (first.state, first.ended_at, first.ring_at) == ("unknown", now, None)
    assert (second.state, second.possible_duplicate) == ("pending", True)
    assert [ring.delivery_id for ring in effects.rings] == [str(second.pk)]


def test_the_mark_goes_on_when_the_next_channel_fails_too(desk, ada, chat, mailbox, records) -> None:
    third = desk.address(ada, Channel.EMAIL)
    event = desk.event(ada, chat, mailbox, third, priority=CRITICAL)
    records.lost(desk.delivery(event))
    records.failed(desk.delivery(event, 1), FailureKind.MESSAGE)
    assert desk.delivery(event, 2).possible_duplicate


def test_the_mark_goes_on_when_the_next_channel_is_given_up(desk, ada, chat, mailbox, records, now) -> None:
    third = desk.address(ada, Channel.EMAIL)
    event = desk.event(ada, chat, mailbox, third, priority=CRITICAL)
    records.lost(desk.delivery(event))
    second = str(desk.delivery(event, 1).pk)
    store.give_up([second], now=now, kind=FailureKind.TEMPORARY, error="used up")
    assert desk.delivery(event, 2).possible_duplicate


def test_the_last_channel_is_repeated_once_marked_and_after_a_wait(desk, ada, chat, records, now) -> None:
    event = desk.event(ada, chat, priority=CRITICAL)
    effects = records.lost(desk.delivery(event), backoff_s=30)
    due, row = now + timedelta(seconds=30), desk.delivery(event)
    assert (effects.rings, effects.finals) == ([], [])
    assert (row.state, row.possible_duplicate, row.ended_at) == ("unknown", True, None)
    assert (row.not_before, row.ring_at) == (due, due)
    assert claim([str(row.pk)], now=now, lease_s=55, max_tries=8) == []
    assert desk.claim(row, now=due).possible_duplicate


def test_the_last_channel_is_never_repeated_twice(desk, ada, chat, records, now) -> None:
    event = desk.event(ada, chat, priority=CRITICAL)
    records.lost(desk.delivery(event), backoff_s=30)
    records.now = now + timedelta(seconds=30)
    effects = records.lost(desk.delivery(event))
    event.refresh_from_db()
    row = desk.delivery(event)
    assert (event.state, event.code, effects.finals) == ("failed", "outcome_unknown", [event.pk])
    assert (row.state, row.ended_at, row.ring_at) == ("unknown", records.now, None)
    much_later = now + timedelta(hours=1)
    assert claim([str(row.pk)], now=much_later, lease_s=55, max_tries=8) == []


def test_the_channel_is_repeated_when_those_behind_it_are_unusable_by_now(
    desk, ada, chat, mailbox, records, now
) -> None:
    event = desk.event(ada, chat, mailbox, priority=CRITICAL)
    Destination.objects.filter(pk=mailbox.pk).update(disabled_at=now, disabled_reason="bounced")
    records.lost(desk.delivery(event))
    event.refresh_from_db()
    row = desk.delivery(event)
    assert (event.state, row.possible_duplicate, row.ended_at) == ("accepted", True, None)
    assert row.ring_at == now + timedelta(seconds=30)


def test_a_repeat_that_arrives_ends_the_event(desk, ada, chat, records, now) -> None:
    event = desk.event(ada, chat, priority=CRITICAL)
    records.lost(desk.delivery(event))
    claimed = desk.claim(desk.delivery(event), now=now + timedelta(seconds=30))
    effects, _ = store.record_sent([records.success(claimed)])
    event.refresh_from_db()
    assert (event.state, effects.finals) == ("delivered", [event.pk])
    assert list(Attempt.objects.values_list("number", "outcome")) == [(1, "unknown"), (2, "sent")]


@pytest.mark.parametrize("priority", [Priority.NORMAL, CRITICAL])
def test_a_lost_answer_of_an_ended_event_starts_nothing(
    desk, ada, chat, mailbox, records, now, priority
) -> None:
    event = desk.event(ada, chat, mailbox, priority=priority)
    claimed = desk.claim(desk.delivery(event))
    Event.objects.update(state="delivered", final_at=now)
    failure = records.failure(claimed, AttemptOutcome.UNKNOWN)
    effects = store.record_unknown(failure, now=now, backoff_s=30)
    row = desk.delivery(event)
    assert (effects.rings, effects.finals, Delivery.objects.count()) == ([], [], 1)
    assert (row.state, row.ring_at) == ("unknown", None)
