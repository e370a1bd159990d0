"""How long may CRITICAL wait on a channel while another is free, and what happens when none is left."""

from datetime import timedelta
from uuid import uuid4

import pytest

from notifications import store
from notifications.delivery import rate_limits, retries, waits
from notifications.delivery.attempt import attempt_many
from notifications.delivery.waits import PATIENCE_S
from notifications.effects import Effects
from notifications.models import Event
from notifications.settings import PipelineSettings
from notifications.states import Channel, Priority
from notifications.transports.base import (
    LimitedError,
    MessageError,
    OutcomeUnknown,
    Receipt,
    RecipientError,
    TemporaryError,
)
from runtime.redis.client import client
from tests.notifications.other_ends import unused

pytestmark = pytest.mark.django_db
HOUR_S = 3_600.0


@pytest.fixture
def limited(override):
    override(telegram_per_s=25)
    yield
    for key in client().scan_iter("limit.*"):
        client().delete(key)


@pytest.fixture
def attempt(desk, now):
    """Try an event's delivery some seconds after the given time; return what follows, errors included."""

    def attempt(event, position=0, *, after_s=0.0) -> Effects:
        at = now + timedelta(seconds=after_s)
        pk = str(desk.delivery(event, position).pk)
        whole = Effects()
        for effects in attempt_many([pk], clock=lambda: at, run_effects=unused):
            whole.add(effects)
        return whole

    return attempt


@pytest.fixture
def critical(desk, ada, chat, mailbox):
    """Return a CRITICAL event to Telegram, then e-mail."""

    def critical(event_id="e1", *steps, **fields):
        return desk.event(
            ada, *(steps or (chat, mailbox)), priority=Priority.CRITICAL, event_id=event_id, **fields
        )

    return critical


def rung(effects) -> list[str]:
    return [ring.delivery_id for ring in effects.rings]


def states(desk, event) -> list[str]:
    return [row.state for row in event.deliveries.order_by("position")]


@pytest.mark.parametrize("asked_s", [PATIENCE_S, 59.0, HOUR_S, 1e15])
def test_a_retry_after_beyond_its_patience_sends_critical_to_the_next_channel(
    desk, critical, provider, attempt, asked_s
) -> None:
    provider(LimitedError("slow down", asked_s))
    event = critical()
    assert rung(attempt(event)) == [str(desk.delivery(event, 1).pk)]
    left = desk.delivery(event)
    assert (left.state, left.failure_kind, left.wait_reason) == ("failed", "temporary", "retry_after")


def test_a_short_retry_after_is_waited_for(desk, critical, provider, attempt) -> None:
    provider(LimitedError("slow down", 3.0))
    event = critical()
    assert rung(attempt(event)) == [str(desk.delivery(event).pk)]
    assert states(desk, event) == ["deferred"]


def test_many_short_waits_do_not_add_up_to_a_long_one(desk, critical, provider, attempt) -> None:
    provider(*[LimitedError("slow down", 4.0)] * 3)
    event = critical()
    attempt(event)
    attempt(event, after_s=4)
    assert states(desk, event) == ["deferred"]
    assert rung(attempt(event, after_s=8)) == [str(desk.delivery(event, 1).pk)]


@pytest.mark.parametrize("priority", [Priority.NORMAL, Priority.CRITICAL])
def test_no_wait_outlasts_the_event_while_another_channel_is_untried(
    desk, ada, chat, mailbox, provider, attempt, priority
) -> None:
    provider(LimitedError("slow down", HOUR_S))
    event = desk.event(ada, chat, mailbox, priority=priority, expires_s=15)
    assert rung(attempt(event)) == [str(desk.delivery(event, 1).pk)]


def test_critical_keeps_half_of_a_short_life_for_its_other_channels(
    desk, critical, provider, attempt
) -> None:
    provider(*[TemporaryError("busy")] * 2)
    event = critical(expires_s=3)
    assert rung(attempt(event)) == [str(desk.delivery(event, 1).pk)]


def test_normal_still_waits_for_a_retry_after(desk, ada, chat, mailbox, provider, attempt) -> None:
    provider(LimitedError("slow down", HOUR_S / 2))
    event = desk.event(ada, chat, mailbox)
    attempt(event)
    assert states(desk, event) == ["deferred"]


@pytest.mark.parametrize("gone", ["disabled", "removed"])
def test_who_has_no_other_usable_channel_waits(desk, critical, mailbox, provider, attempt, now, gone) -> None:
    provider(LimitedError("slow down", HOUR_S))
    event = critical()
    if gone == "removed":
        mailbox.delete()
    else:
        mailbox.disabled_at, mailbox.disabled_reason = now, "no such mailbox"
        mailbox.save()
    attempt(event)
    assert states(desk, event) == ["deferred"]
    assert desk.delivery(event).not_before == now + timedelta(seconds=HOUR_S)


@pytest.mark.parametrize("refusal", [RecipientError("no such mailbox"), MessageError("too large")])
def test_when_the_other_channels_fail_it_returns_to_the_one_that_it_left(
    desk, critical, provider, attempt, now, refusal
) -> None:
    provider(LimitedError("slow down", 30.0), Receipt())
    provider(refusal, channel=Channel.EMAIL)
    event = critical()
    attempt(event)
    effects = attempt(event, 1, after_s=1)
    back = desk.delivery(event)
    assert (back.state, back.not_before) == ("deferred", now + timedelta(seconds=30))
    assert rung(effects) == [str(back.pk)]
    assert effects.finals == []
    assert attempt(event, after_s=29).finals == []
    assert attempt(event, after_s=30).finals == [event.pk]


def test_it_also_returns_to_a_channel_whose_quick_tries_were_used_up(
    desk, critical, provider, attempt
) -> None:
    provider(*[TemporaryError("busy")] * 3)
    provider(MessageError("too large"), channel=Channel.EMAIL)
    event = critical()
    for after_s in (0, 2, 6):
        attempt(event, after_s=after_s)
    attempt(event, 1, after_s=6)
    assert states(desk, event) == ["deferred", "failed"]
    assert attempt(event, after_s=7).finals == [event.pk]


def test_a_page_that_nobody_has_open_is_no_end_either(desk, ada, chat, provider, attempt, critical) -> None:
    provider(LimitedError("slow down", 30.0))
    event = critical("e1", chat, None)
    attempt(event)
    attempt(event, 1, after_s=1)
    assert states(desk, event) == ["deferred", "skipped"]


def test_what_it_returned_to_and_what_fails_there_is_the_end(desk, critical, provider, attempt) -> None:
    provider(LimitedError("slow down", 30.0), MessageError("too long"))
    provider(MessageError("too large"), channel=Channel.EMAIL)
    event = critical()
    attempt(event)
    attempt(event, 1)
    assert attempt(event, after_s=30).finals == [event.pk]
    event.refresh_from_db()
    assert (event.state, event.code) == ("failed", "message")
    assert event.deliveries.filter(ring_at__isnull=False).count() == 0


def test_what_may_have_arrived_elsewhere_is_flagged_when_it_returns(
    desk, critical, provider, attempt
) -> None:
    provider(LimitedError("slow down", 30.0))
    provider(OutcomeUnknown("lost"), OutcomeUnknown("lost"), channel=Channel.EMAIL)
    event = critical()
    attempt(event)
    attempt(event, 1)
    attempt(event, 1, after_s=20)
    back = desk.delivery(event)
    assert (back.state, back.possible_duplicate) == ("deferred", True)


def test_a_lost_answer_after_the_return_is_repeated_once_on_the_same_channel(
    desk, critical, provider, attempt
) -> None:
    provider(LimitedError("slow down", 30.0), OutcomeUnknown("lost"))
    provider(MessageError("too large"), channel=Channel.EMAIL)
    event = critical()
    attempt(event)
    attempt(event, 1)
    attempt(event, after_s=30)
    row = desk.delivery(event)
    assert (row.state, row.possible_duplicate, row.ended_at) == ("unknown", True, None)


def test_a_channel_whose_tries_are_used_up_is_not_returned_to(desk, critical, provider, attempt, now) -> None:
    provider(LimitedError("slow down", 30.0))
    provider(MessageError("too large"), channel=Channel.EMAIL)
    event = critical()
    attempt(event)
    event.deliveries.update(attempts=PipelineSettings().max_tries)
    event.deliveries.filter(position=1).update(attempts=0)
    assert attempt(event, 1).finals == [event.pk]


def test_a_burst_of_critical_to_one_group_goes_on_after_some_seconds(
    desk, ada, mailbox, critical, now, limited, provider
) -> None:
    group = desk.address(ada, Channel.TELEGRAM, address="-1001")  # 20 a minute
    provider()
    events = [critical(f"e{n}", group, mailbox) for n in range(30)]
    ids = [str(desk.delivery(event).pk) for event in events]
    list(attempt_many(ids, clock=lambda: now, run_effects=unused))
    rows = [desk.delivery(event) for event in events]
    waiting = [row for row in rows if row.state == "pending"]
    assert [row.state for row in rows].count("sent") == 1
    assert all(row.not_before <= now + timedelta(seconds=PATIENCE_S) for row in waiting)
    assert len(waiting) <= 4
    left = [event for event, row in zip(events, rows, strict=True) if row.state == "skipped"]
    assert len(left) == 30 - 1 - len(waiting)
    assert all(desk.delivery(event, 1).state == "pending" for event in left)


def test_who_leaves_keeps_no_slot(desk, ada, mailbox, critical, now, limited, provider) -> None:
    group = desk.address(ada, Channel.TELEGRAM, address="-1002")
    provider()
    ids = [str(desk.delivery(critical(f"e{n}", group, mailbox)).pk) for n in range(30)]
    list(attempt_many(ids, clock=lambda: now, run_effects=unused))
    ask = rate_limits.Ask(rate_limits.limits_of(Channel.TELEGRAM, "-1002"), 60)
    [wait_s] = rate_limits.reserve([ask])
    assert wait_s <= PATIENCE_S + 3  # one slot after the last that is within the patience


def test_a_held_chat_sends_critical_to_the_next_channel_at_once(
    desk, chat, critical, provider, attempt, limited
) -> None:
    fake = provider()
    rate_limits.hold(rate_limits.limits_of(Channel.TELEGRAM, chat.address), wait_s=HOUR_S)
    event = critical()
    assert rung(attempt(event)) == [str(desk.delivery(event, 1).pk)]
    left = desk.delivery(event)
    assert (left.state, left.attempts, left.wait_reason, fake.sent) == ("skipped", 0, "rate_limit", [])


def test_in_a_held_chat_who_has_no_other_usable_channel_gets_a_slot_far_ahead(
    desk, chat, mailbox, critical, provider, attempt, limited, now
) -> None:
    provider()
    rate_limits.hold(rate_limits.limits_of(Channel.TELEGRAM, chat.address), wait_s=40)
    event = critical()
    mailbox.delete()
    attempt(event)
    row = desk.delivery(event)
    assert row.state == "pending"
    assert now + timedelta(seconds=38) < row.slot_at <= now + timedelta(seconds=41)


def test_an_event_that_waited_for_workers_has_no_patience_left(
    desk, chat, critical, provider, attempt, limited
) -> None:
    provider()
    attempt(critical("a"))
    event = critical("b")
    assert rung(attempt(event, after_s=60)) == [str(desk.delivery(event, 1).pk)]


def look_up(row, now):
    [due] = store.look_up([str(row.pk)], now=now, max_tries=8)
    return due


def test_a_send_takes_seconds_while_another_channel_may_have_to_follow(
    desk, ada, chat, mailbox, critical, now
) -> None:
    first = look_up(desk.delivery(critical("a", mailbox, chat)), now)
    assert (waits.timeout_s(first, now), retries.timeout_s(Channel.EMAIL)) == (5.0, 15.0)
    alone = look_up(desk.delivery(critical("b", mailbox)), now)
    normal = look_up(desk.delivery(desk.event(ada, mailbox, chat, event_id="c")), now)
    assert waits.timeout_s(alone, now) == waits.timeout_s(normal, now) == 15.0


def test_a_send_leaves_half_of_a_short_life_to_the_other_channels(desk, critical, now) -> None:
    assert waits.timeout_s(look_up(desk.delivery(critical(expires_s=4)), now), now) == 2.0


def test_after_a_workers_death_the_next_channel_follows_within_the_patience(
    desk, chat, mailbox, critical, now
) -> None:
    ahead, alone = desk.delivery(critical("a")), desk.delivery(critical("b", chat))
    rows = [look_up(ahead, now), look_up(alone, now)]
    shorter_s = waits.shorter_leases_s(rows, now)
    claimed = store.claim(rows, token=uuid4(), now=now, lease_s=55, shorter_s=shorter_s)
    until = {row.delivery_id: (row.lease_until - now).total_seconds() for row in claimed}
    assert until[str(ahead.pk)] <= 10 - 1  # the sweep's tick
    assert until[str(alone.pk)] == 55


def test_the_patience_of_a_replay_begins_when_it_is_due(desk, critical, provider, attempt, now) -> None:
    provider(LimitedError("slow down", 3.0))
    event = critical()
    Event.objects.update(replay_due_at=now + timedelta(seconds=100))
    attempt(event, after_s=100)
    assert states(desk, event) == ["deferred"]
