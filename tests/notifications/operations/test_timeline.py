"""The story of one event, told from its rows."""

from dataclasses import replace
from datetime import timedelta

import pytest

from notifications import store
from notifications.delivery.attempt import attempt_one
from notifications.events import Decision, Plan
from notifications.models import Delivery, Event
from notifications.operations.timeline import _SKIPPED, _WAITS, timeline
from notifications.settings import PipelineSettings
from notifications.states import Channel, Priority, WaitReason
from notifications.transports.base import LimitedError, Receipt, RecipientError, TemporaryError
from tests.notifications.other_ends import unused


def told(event, now):
    event = Event.objects.get(pk=event.pk)
    deliveries = Delivery.objects.filter(event=event).prefetch_related("tries").order_by("position")
    start = round(now.timestamp() * 1000)
    return [(step["at"] - start, step["kind"], step["text"]) for step in timeline(event, deliveries)]


@pytest.fixture
def at(now):
    return lambda seconds: now + timedelta(seconds=seconds)


@pytest.fixture
def pushed(desk, ada, chat, mailbox, at):
    """A CRITICAL event that the page took and has five seconds to confirm: then Telegram, then e-mail."""
    item = desk.acceptance(ada, "e1", None, chat, mailbox, priority=Priority.CRITICAL)
    trace = (
        Decision(Channel.WEB, "chosen", "online"),
        Decision(Channel.TELEGRAM, "chosen", "usable", chat.pk),
        Decision(Channel.EMAIL, "chosen", "usable", mailbox.pk),
    )
    [stored] = store.accept([replace(item, plan=Plan(item.plan.steps, trace))], now=at(0))
    store.record_pushed([store.Success(stored.delivery_id, stored.token, at(0), at(0.01))], [at(5)])
    return Event.objects.get()


def attempt(desk, event, position, moment):
    return attempt_one(str(desk.delivery(event, position).pk), clock=lambda: moment, run_effects=unused)


def test_the_fall_from_the_page_to_telegram_to_email_is_told_step_by_step(
    desk, pushed, provider, at, now
) -> None:
    provider(TemporaryError("busy"), RecipientError("the bot was blocked"))
    provider(Receipt("m1"), channel=Channel.EMAIL)
    store.sweep_deliveries(now=at(5), settings=PipelineSettings())
    with pytest.raises(TemporaryError):
        attempt(desk, pushed, 1, at(6))
    attempt(desk, pushed, 1, at(8))
    attempt(desk, pushed, 2, at(9))
    assert told(pushed, now) == [
        (0, "accepted", "accepted as seq 1"),
        (0, "routed", "WEB chosen"),
        (0, "routed", "TELEGRAM chosen"),
        (0, "routed", "EMAIL chosen"),
        (10, "pushed", "pushed to the page, which has 5.0 s to confirm"),
        (5000, "unconfirmed", "WEB did not confirm in time"),
        (5000, "next", "next channel: TELEGRAM"),
        (6000, "attempt", "TELEGRAM try 1: temporary, busy"),
        (8000, "attempt", "TELEGRAM try 2: recipient, the bot was blocked"),
        (8000, "failed", "TELEGRAM failed: the bot was blocked"),
        (8000, "next", "next channel: EMAIL"),
        (9000, "sent", "EMAIL accepted it in 0 ms"),
        (9000, "final", "final ack: DELIVERED via EMAIL, evidence TRANSPORT"),
    ]


def test_a_confirmation_in_time_is_the_end(pushed, ada, at, now) -> None:
    store.confirm([(ada.pk, "e1")], now=at(1))
    assert told(pushed, now)[-2:] == [
        (1000, "confirmed", "WEB confirmed by the client"),
        (1000, "final", "final ack: DELIVERED via WEB, evidence CLIENT"),
    ]


def test_a_late_confirmation_is_told_once_and_after_what_was_missed(
    desk, pushed, ada, provider, at, now
) -> None:
    provider(Receipt())
    store.sweep_deliveries(now=at(5), settings=PipelineSettings())
    attempt(desk, pushed, 1, at(6))
    store.confirm([(ada.pk, "e1")], now=at(30))
    assert told(pushed, now)[5:] == [
        (5000, "unconfirmed", "WEB did not confirm in time"),
        (5000, "next", "next channel: TELEGRAM"),
        (6000, "sent", "TELEGRAM accepted it in 0 ms"),
        (6000, "final", "final ack: DELIVERED via TELEGRAM, evidence TRANSPORT"),
        (30000, "confirmed", "the page confirmed it late"),
    ]


def test_a_page_that_was_not_in_the_plan_may_still_confirm(desk, ada, chat, provider, at, now) -> None:
    provider(Receipt())
    event = desk.event(ada, chat)
    attempt(desk, event, 0, at(1))
    store.confirm([(ada.pk, "e1")], now=at(2))
    assert told(event, now)[-1] == (2000, "confirmed", "the page confirmed it late")


@pytest.mark.parametrize(("reason", "text"), _WAITS.items())
def test_a_wait_is_told_with_its_reason_and_its_end(desk, ada, chat, at, now, reason, text) -> None:
    event = desk.event(ada, chat)
    Delivery.objects.update(wait_reason=reason, waiting_since=at(1), not_before=at(11))
    until = f"{at(11):%Y-%m-%d %H:%M:%S} UTC"
    assert told(event, now)[-1] == (1_000, "waiting", f"waiting for TELEGRAM until {until}: {text}")


def test_a_retry_after_is_told_after_the_attempt_that_met_it(desk, ada, chat, provider, at, now) -> None:
    provider(LimitedError("slow down", 600.0))
    event = desk.event(ada, chat)
    attempt(desk, event, 0, at(1))
    assert [kind for _, kind, _ in told(event, now)] == ["accepted", "attempt", "waiting"]


def test_every_reason_to_wait_has_its_words() -> None:
    assert set(_WAITS) == set(WaitReason)


def test_a_dead_letter_says_what_the_producer_was_told(desk, ada, now) -> None:
    event = desk.event(ada)
    assert told(event, now) == [
        (0, "accepted", "accepted as seq 1"),
        (0, "final", "final ack: ACK_ERROR no_channel"),
    ]


@pytest.mark.parametrize("reason", [*_SKIPPED, "disabled: blocked"])
def test_every_reason_to_skip_a_channel_is_told(desk, ada, now, reason) -> None:
    item = desk.acceptance(ada)
    trace = (Decision(Channel.TELEGRAM, "skipped", reason),)
    store.accept([replace(item, plan=Plan((), trace))], now=now)
    [_, (_, kind, text), _] = told(Event.objects.get(), now)
    assert (kind, text) == ("skipped", f"TELEGRAM skipped: {_SKIPPED.get(reason, reason)}")
