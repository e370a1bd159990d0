"""One try of one delivery: claimed, sent, and recorded by the transport's result."""

import asyncio
from datetime import timedelta

import pytest
from django.db import connection, transaction

from notifications.delivery.attempt import NotDue, attempt_one
from notifications.models import Attempt, Delivery, Event
from notifications.states import Channel, Priority
from notifications.transports.base import (
    ConfigurationError,
    LimitedError,
    MessageError,
    OutcomeUnknown,
    Receipt,
    RecipientError,
    TemporaryError,
)
from tests.notifications.other_ends import unused


@pytest.fixture
def event(desk, ada, chat, mailbox):
    """Telegram first, then e-mail."""
    return desk.event(ada, chat, mailbox, priority=Priority.CRITICAL)


@pytest.fixture
def attempt(desk, event, now):
    def attempt(position=0, at=now):
        return attempt_one(str(desk.delivery(event, position).pk), clock=lambda: at, run_effects=unused)

    return attempt


def next_pk(desk, event):
    return str(desk.delivery(event, 1).pk)


def test_an_accepted_message_ends_the_event(desk, event, chat, provider, attempt) -> None:
    fake = provider(Receipt("m77"))
    effects = attempt()
    row = desk.delivery(event)
    assert effects.finals == [event.pk]
    assert (row.state, row.provider_message_id) == ("sent", "m77")
    [(address, message)] = fake.sent
    assert (address, message.key) == (chat.address, str(row.pk))
    assert "BTC/USDT" in message.text + message.title


def test_a_temporary_error_defers_the_row_before_it_is_raised(desk, event, provider, attempt, now) -> None:
    provider(TemporaryError("busy"))
    with pytest.raises(TemporaryError, match="busy"):
        attempt()
    row = desk.delivery(event)
    assert (row.state, row.error, row.not_before) == ("deferred", "busy", now)
    assert row.ring_at == now + timedelta(seconds=5 + 2)
    assert Delivery.objects.count() == 1


def test_the_task_itself_waits_for_a_short_limit(desk, event, provider, attempt, now) -> None:
    provider(LimitedError("slow down", 8.0), Receipt())
    with pytest.raises(LimitedError):
        attempt()
    row = desk.delivery(event)
    assert row.not_before == now + timedelta(seconds=8)
    assert row.ring_at == now + timedelta(seconds=8 + 5)
    with pytest.raises(NotDue):
        attempt(at=now + timedelta(seconds=7))
    assert attempt(at=now + timedelta(seconds=8)).finals == [event.pk]


def test_the_sweep_rings_after_a_long_limit(desk, event, provider, attempt, now, override) -> None:
    override(countdown_max_s=5.0)
    provider(LimitedError("slow down", 8.0))
    assert attempt().rings == []
    row = desk.delivery(event)
    assert (row.state, row.not_before, row.ring_at) == (
        "deferred",
        now + timedelta(seconds=8),
        row.not_before,
    )


def test_the_task_waits_for_quick_retries_and_the_channel_ends_with_the_table(
    desk, event, provider, attempt, now
) -> None:
    provider(*[TemporaryError("busy")] * 3)
    waits = []
    for _ in range(2):
        with pytest.raises(TemporaryError):
            attempt()
        waits.append((desk.delivery(event).ring_at - now).total_seconds() - 5)
    assert waits == [2, 4]
    effects = attempt()
    row = desk.delivery(event)
    assert (row.state, row.failure_kind, row.attempts) == ("failed", "temporary", 3)
    assert [ring.delivery_id for ring in effects.rings] == [next_pk(desk, event)]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RecipientError("blocked"), "recipient"),
        (MessageError("too long"), "message"),
        (ConfigurationError("bad token"), "configuration"),
    ],
)
def test_a_permanent_failure_leads_to_the_next_channel(
    desk, event, chat, provider, attempt, error, kind
) -> None:
    provider(error)
    effects = attempt()
    row = desk.delivery(event)
    assert (row.state, row.failure_kind, row.error) == ("failed", kind, error.reason)
    assert [ring.delivery_id for ring in effects.rings] == [next_pk(desk, event)]
    assert Attempt.objects.get().outcome == kind
    chat.refresh_from_db()
    assert (chat.disabled_at is not None) == (kind == "recipient")


@pytest.mark.parametrize("error", [OutcomeUnknown("answer lost"), ZeroDivisionError("a bug")])
def test_a_lost_answer_and_a_transports_bug_are_unknown_and_not_repeated(
    desk, event, provider, attempt, error
) -> None:
    fake = provider(error)
    effects = attempt()
    assert desk.delivery(event).state == "unknown"
    assert desk.delivery(event, 1).possible_duplicate
    assert [ring.delivery_id for ring in effects.rings] == [next_pk(desk, event)]
    with pytest.raises(NotDue):
        attempt()
    assert len(fake.sent) == 1


def test_a_possible_duplicate_says_so_in_its_text(desk, event, provider, attempt) -> None:
    provider(OutcomeUnknown("answer lost"))
    by_mail = provider(channel=Channel.EMAIL)
    attempt()
    attempt(1)
    assert "may have received this already" in by_mail.sent[0][1].text


def test_a_message_that_cannot_be_rendered_ends_as_our_fault_without_a_claim(
    desk, event, provider, attempt
) -> None:
    Event.objects.update(payload=["not", "an", "object"])
    fake = provider()
    effects = attempt()
    row = desk.delivery(event)
    assert (row.state, row.failure_kind, row.attempts, fake.sent) == ("failed", "configuration", 0, [])
    assert row.error == "the message cannot be made: see the log"
    assert [ring.delivery_id for ring in effects.rings] == [next_pk(desk, event)]


def test_a_destination_that_was_disabled_in_the_meantime_is_skipped_without_a_send(
    desk, event, chat, provider, attempt, now
) -> None:
    chat.disabled_at, chat.disabled_reason = now, "blocked"
    chat.save()
    fake = provider()
    effects = attempt()
    row = desk.delivery(event)
    assert (row.state, row.error, fake.sent) == ("skipped", "disabled: blocked", [])
    assert [ring.delivery_id for ring in effects.rings] == [next_pk(desk, event)]


def test_a_channel_without_a_transport_leads_to_the_next_one(desk, event, attempt) -> None:
    Delivery.objects.update(channel=Channel.PUSH)
    assert [ring.delivery_id for ring in attempt().rings] == [next_pk(desk, event)]
    assert desk.delivery(event).failure_kind == "configuration"


def test_a_chat_that_moved_gets_its_new_address(desk, event, chat, provider, attempt) -> None:
    provider(Receipt("m1", moved_to="-100777"))
    assert attempt().finals == [event.pk]
    chat.refresh_from_db()
    assert chat.address == "-100777"


def test_a_row_that_another_worker_has_claimed_is_not_tried(desk, event, provider, attempt) -> None:
    fake = provider()
    desk.claim(desk.delivery(event))
    with pytest.raises(NotDue):
        attempt()
    assert fake.sent == []


@pytest.fixture
def later_page(desk, ada, chat, records):
    """An event whose page comes second, and is due."""
    from notifications.states import FailureKind

    event = desk.event(ada, chat, None)
    records.failed(desk.delivery(event), FailureKind.MESSAGE)
    return event


def test_a_page_after_another_channel_is_pushed_with_a_deadline(
    desk, later_page, ada, open_page, now
) -> None:
    page = open_page(ada)
    row = desk.delivery(later_page, 1)
    assert attempt_one(str(row.pk), clock=lambda: now, run_effects=unused).rings == []
    row.refresh_from_db()
    deadline = now + timedelta(seconds=5)
    assert (row.state, row.ack_deadline, row.ring_at) == ("sent", deadline, deadline)
    [frame] = page.frames()
    assert (frame["event_id"], frame["seq"]) == ("e1", 1)
    assert frame["ack_by"] == round(deadline.timestamp() * 1000)


def test_a_page_that_was_closed_before_its_turn_is_skipped(desk, later_page, now) -> None:
    row = desk.delivery(later_page, 1)
    assert attempt_one(str(row.pk), clock=lambda: now, run_effects=unused).finals == [later_page.pk]
    row.refresh_from_db()
    assert (row.state, Attempt.objects.get(delivery=row).outcome) == ("skipped", "no_session")


def idle_in_transaction() -> int:
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
            )
            return cursor.fetchone()[0]
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_a_provider_is_called(desk, event, provider, attempt) -> None:
    seen = []

    async def look() -> Receipt:
        seen.append(await asyncio.to_thread(idle_in_transaction))
        return Receipt()

    provider(look)
    assert attempt().finals == [event.pk]
    assert seen == [0]
    with transaction.atomic():
        Event.objects.update(code="")
        assert asyncio.run(asyncio.to_thread(idle_in_transaction)) == 1
