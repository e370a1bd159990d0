"""The tries of a batch run concurrently, and each result is recorded as it arrives."""

import asyncio
import threading

import psycopg
import pytest
from django.db import connection

from notifications import store
from notifications.delivery import sending_loop
from notifications.delivery.attempt import attempt_many
from notifications.effects import Effects
from notifications.models import Attempt, Delivery, Event
from notifications.states import Channel, Priority
from notifications.transports.base import (
    LimitedError,
    MessageError,
    OutcomeUnknown,
    Receipt,
    RecipientError,
    TemporaryError,
)
from tests.notifications.other_ends import unused


@pytest.fixture
def events(desk, ada, chat, mailbox):
    return [desk.event(ada, chat, mailbox, event_id=f"e{n}", priority=Priority.CRITICAL) for n in range(7)]


@pytest.fixture
def attempt(desk, now):
    def attempt(events):
        ids = [str(desk.delivery(event).pk) for event in events]
        return attempt_many(ids, clock=lambda: now, run_effects=unused)

    return attempt


def together(parts) -> Effects:
    whole = Effects()
    for effects in parts:
        whole.add(effects)
    return whole


def test_every_outcome_of_a_mixed_batch_is_recorded_on_its_own(desk, events, provider, attempt) -> None:
    provider(
        Receipt("m0"),
        TemporaryError("busy"),
        RecipientError("blocked"),
        OutcomeUnknown("answer lost"),
        ZeroDivisionError(),
        LimitedError("slow down", 7.0),
        Receipt("m6"),
    )
    whole = together(attempt(events))
    states = [desk.delivery(event).state for event in events]
    assert states == ["sent", "deferred", "failed", "unknown", "unknown", "deferred", "sent"]
    assert sorted(whole.finals) == [events[0].pk, events[6].pk]
    again = {ring.delivery_id: ring for ring in whole.rings if ring.alone}
    assert set(again) == {str(desk.delivery(events[n]).pk) for n in (1, 5)}
    assert again[str(desk.delivery(events[5]).pk)].delay_s == 7.0
    others = {ring.delivery_id for ring in whole.rings if not ring.alone}
    assert others == {str(desk.delivery(events[n], 1).pk) for n in (2, 3, 4)}
    assert Attempt.objects.count() == 7


def test_a_result_is_recorded_while_other_sends_are_in_flight(desk, events, provider, attempt) -> None:
    answer = threading.Event()

    async def slow() -> Receipt:
        assert await asyncio.to_thread(answer.wait, 10)
        return Receipt("late")

    provider(Receipt("m0"), slow)
    results = attempt(events[:2])
    assert next(results).finals == [events[0].pk]
    assert [desk.delivery(event).state for event in events[:2]] == ["sent", "sending"]
    answer.set()
    assert together(results).finals == [events[1].pk]


def test_the_bulkhead_limits_the_sends_in_flight(desk, events, provider, attempt, override) -> None:
    override(send_concurrency=3)
    in_flight, most = 0, 0

    async def count() -> Receipt:
        nonlocal in_flight, most
        in_flight += 1
        most = max(most, in_flight)
        for _ in range(20):
            await asyncio.sleep(0)
        in_flight -= 1
        return Receipt()

    provider(*[count] * 7)
    assert len(together(attempt(events)).finals) == 7
    assert most == 3


def test_a_channel_that_hangs_does_not_block_another(
    desk, ada, chat, mailbox, provider, now, override
) -> None:
    override(send_concurrency=1)
    answer = threading.Event()

    async def hang() -> Receipt:
        assert await asyncio.to_thread(answer.wait, 10)
        return Receipt()

    provider(hang)
    provider(channel=Channel.EMAIL)
    by_chat, by_mail = desk.event(ada, chat, event_id="a"), desk.event(ada, mailbox, event_id="b")
    ids = [str(desk.delivery(event).pk) for event in (by_chat, by_mail)]
    results = attempt_many(ids, clock=lambda: now, run_effects=unused)
    assert next(results).finals == [by_mail.pk]
    answer.set()
    assert together(results).finals == [by_chat.pk]


def test_rows_that_are_out_of_time_are_released_and_ring_again(
    desk, events, provider, attempt, override
) -> None:
    override(batch_budget_s=-1.0)
    fake = provider()
    whole = together(attempt(events))
    assert fake.sent == []
    assert {ring.delivery_id for ring in whole.rings} == {str(pk) for pk in _pks()}
    assert set(Delivery.objects.values_list("state", "attempts")) == {("pending", 0)}
    assert not Attempt.objects.exists()


def _pks():
    return Delivery.objects.values_list("pk", flat=True)


def test_a_slow_provider_leaves_the_rest_of_the_batch_to_another_ring(
    desk, events, provider, attempt, override
) -> None:
    override(send_concurrency=1, batch_budget_s=0.05)

    async def slow() -> Receipt:
        await asyncio.sleep(0.1)  # longer than the budget of the whole batch
        return Receipt()

    fake = provider(slow)
    whole = together(attempt(events))
    assert (whole.finals, len(fake.sent)) == ([events[0].pk], 1)
    assert len(whole.rings) == 6


def test_rows_that_another_worker_has_claimed_are_not_tried(desk, events, provider, attempt) -> None:
    fake = provider()
    desk.claim(desk.delivery(events[0]))
    assert len(together(attempt(events)).finals) == 6
    assert len(fake.sent) == 6
    assert together(attempt(events)).finals == []


def test_a_late_result_does_not_change_a_row_whose_lease_is_lost(desk, events, provider, attempt) -> None:
    answer = threading.Event()

    async def slow(result: Receipt | Exception) -> Receipt:
        assert await asyncio.to_thread(answer.wait, 10)
        if isinstance(result, Exception):
            raise result
        return result

    provider(Receipt(), lambda: slow(Receipt("late")), lambda: slow(MessageError("late")))
    results = attempt(events[:3])
    next(results)
    Delivery.objects.filter(event__in=events[1:3]).update(lease_token=None, error="taken over")
    answer.set()
    whole = together(results)
    assert (whole.finals, whole.rings) == ([], [])
    assert [desk.delivery(event).error for event in events[1:3]] == ["taken over"] * 2
    assert Attempt.objects.count() == 1


def test_pages_and_providers_of_one_batch_are_both_served(
    desk, ada, chat, provider, records, open_page, now
) -> None:
    from notifications.states import FailureKind

    page = open_page(ada)
    later_page = desk.event(ada, chat, None, event_id="page")
    records.failed(desk.delivery(later_page), FailureKind.MESSAGE)
    to_chat = desk.event(ada, chat, event_id="chat")
    provider()
    ids = [str(desk.delivery(later_page, 1).pk), str(desk.delivery(to_chat).pk)]
    assert together(attempt_many(ids, clock=lambda: now, run_effects=unused)).finals == [to_chat.pk]
    assert [frame["event_id"] for frame in page.frames()] == ["page"]
    store.confirm([(ada.pk, "page")], now=now)
    assert set(Event.objects.values_list("state", flat=True)) == {"delivered"}


def test_no_further_send_starts_until_results_are_in_the_database(
    desk, events, provider, attempt, override
) -> None:
    override(send_concurrency=2)
    opened = asyncio.Event()

    async def when_opened() -> Receipt:
        await opened.wait()
        return Receipt()

    fake = provider(Receipt(), *[when_opened] * 6)
    results = attempt(events)
    next(results)  # the first one is recorded, and no further result is requested
    sending_loop.call(opened.set)
    for _ in range(100):
        sending_loop.submit(asyncio.sleep(0)).result()
    assert len(fake.sent) == 1 + 2
    assert len(together(results).finals) + 1 == len(fake.sent) == 7


@pytest.mark.django_db(transaction=True)
def test_a_result_survives_a_connection_that_was_cut_before_its_record(desk, ada, chat, provider, now):
    event = desk.event(ada, chat, event_id="e1", priority=Priority.CRITICAL)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]

    def cut() -> None:
        with psycopg.connect(**_parameters()) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [pid])

    async def taken_while_postgres_goes() -> Receipt:
        await asyncio.to_thread(cut)
        return Receipt("m1")

    fake = provider(taken_while_postgres_goes)
    whole = together(attempt_many([str(desk.delivery(event).pk)], clock=lambda: now, run_effects=unused))
    assert whole.finals == [event.pk]
    row = desk.delivery(event)
    assert (row.state, row.provider_message_id, len(fake.sent)) == ("sent", "m1", 1)


def _parameters() -> dict:
    given = connection.get_connection_params()
    return {name: given[name] for name in ("host", "port", "user", "password", "dbname")}
