"""A provider that takes long holds its own slots, and no worker: a thread records what comes late."""

import asyncio
import threading
from datetime import timedelta
from itertools import count

import pytest

from notifications.delivery import room, slow_sends
from notifications.delivery.attempt import attempt_many, attempt_one
from notifications.effects import Effects
from notifications.models import Delivery
from notifications.states import Channel, Priority
from notifications.transports.base import Receipt, TemporaryError

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def answer():
    """Lets a hanging provider answer; at the end of a test everything has been recorded."""
    answer = threading.Event()
    yield answer
    answer.set()
    assert slow_sends.wait_until_recorded(within_s=10)


@pytest.fixture
def hang(answer, provider):
    def hang(*outcomes) -> None:
        outcomes = list(outcomes or [Receipt("late")])

        async def late() -> Receipt:
            assert await asyncio.to_thread(answer.wait, 10)
            outcome = outcomes.pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        provider(*[late] * len(outcomes))

    return hang


@pytest.fixture
def attempt(desk, now, override):
    """Try events' first deliveries; return what came at once, and what follows later."""
    override(slow_send_s=0.01, send_concurrency=2)
    later = Effects()

    def attempt(*events) -> tuple[Effects, Effects]:
        at_once = Effects()
        ids = [str(desk.delivery(event).pk) for event in events]
        for effects in attempt_many(ids, clock=lambda: now, run_effects=later.add):
            at_once.add(effects)
        return at_once, later

    return attempt


def test_who_hangs_keeps_no_worker_and_no_other_channel(
    desk, ada, chat, mailbox, provider, hang, answer, attempt
) -> None:
    hang()
    provider(channel=Channel.EMAIL)
    by_chat, by_mail = desk.event(ada, chat, event_id="a"), desk.event(ada, mailbox, event_id="b")
    at_once, later = attempt(by_chat)
    assert (at_once.finals, desk.delivery(by_chat).state) == ([], "sending")
    while not at_once.finals:  # a mail that is slow itself on a busy machine comes later
        at_once, later = attempt(by_mail)
        assert later.finals in ([], [by_mail.pk])
        at_once.finals += later.finals
    assert desk.delivery(by_mail).state == "sent"
    answer.set()
    assert slow_sends.wait_until_recorded(within_s=10)
    assert by_chat.pk in later.finals
    assert desk.delivery(by_chat).provider_message_id == "late"


def test_a_slow_failure_is_tried_again_as_any_other(desk, ada, chat, hang, answer, now, override) -> None:
    override(slow_send_s=0.01)
    hang(TemporaryError("busy"))
    event, later = desk.event(ada, chat), Effects()
    pk = str(desk.delivery(event).pk)
    assert attempt_one(pk, clock=lambda: now, run_effects=later.add) == Effects()
    answer.set()
    assert slow_sends.wait_until_recorded(within_s=10)
    [ring] = later.rings
    assert (ring.delivery_id, ring.alone, desk.delivery(event).state) == (pk, True, "deferred")


@pytest.mark.parametrize("priority", [Priority.CRITICAL, Priority.NORMAL])
def test_a_channel_that_is_full_takes_no_more_and_counts_no_try(
    desk, ada, chat, hang, attempt, now, priority
) -> None:
    hang(Receipt(), Receipt())
    events = [desk.event(ada, chat, event_id=f"e{n}", priority=priority) for n in range(3)]
    attempt(*events[:2])
    assert room.is_full(Channel.TELEGRAM, priority)
    before = Delivery.objects.filter(event=events[2]).values().get()
    at_once, _ = attempt(events[2])
    row = desk.delivery(events[2])
    assert (at_once.rings, row.state, row.attempts) == ([], "pending", 0)
    if priority is Priority.CRITICAL:
        assert now + timedelta(seconds=1) <= row.ring_at <= now + timedelta(seconds=3)
    else:  # it is not even written: a backlog of them would be, again and again
        assert Delivery.objects.filter(event=events[2]).values().get() == before


def test_normal_sends_leave_a_part_of_the_slots_to_critical_ones(
    desk, ada, chat, hang, attempt, override
) -> None:
    hang(*[Receipt()] * 5)
    override(send_concurrency=4)
    normal = [desk.event(ada, chat, event_id=f"n{n}") for n in range(5)]
    attempt(*normal)
    urgent = desk.event(ada, chat, event_id="c", priority=Priority.CRITICAL)
    attempt(urgent)
    states = [desk.delivery(event).state for event in normal]
    assert (sorted(states), desk.delivery(urgent).state) == (["pending"] * 2 + ["sending"] * 3, "sending")


def test_critical_goes_on_from_a_channel_that_stays_full(
    desk, ada, chat, mailbox, hang, attempt, now
) -> None:
    hang(Receipt(), Receipt())
    attempt(*[desk.event(ada, chat, event_id=name, priority=Priority.CRITICAL) for name in "ab"])
    event = desk.event(ada, chat, mailbox, event_id="c", priority=Priority.CRITICAL)
    pk, late = str(desk.delivery(event).pk), now + timedelta(seconds=9)
    [effects] = attempt_many([pk], clock=lambda: late, run_effects=Effects().add)
    left = desk.delivery(event)
    assert (left.state, left.attempts, left.wait_reason) == ("skipped", 0, "no_room")
    assert [ring.delivery_id for ring in effects.rings] == [str(desk.delivery(event, 1).pk)]


def test_critical_that_finds_no_room_within_its_batch_goes_on_too(
    desk, ada, chat, mailbox, provider, now, override
) -> None:
    override(send_concurrency=1)
    at = [now]

    async def take_long() -> Receipt:
        at[0] += timedelta(seconds=20)
        return Receipt()

    provider(take_long)
    events = [
        desk.event(ada, chat, mailbox, event_id=name, priority=Priority.CRITICAL) for name in ("a", "b", "c")
    ]
    ids = [str(desk.delivery(event).pk) for event in events]
    list(attempt_many(ids, clock=lambda: at[0], run_effects=Effects().add))
    assert slow_sends.wait_until_recorded(within_s=10)
    assert [desk.delivery(event).state for event in events] == ["sent", "sent", "skipped"]


def test_for_a_channel_that_is_slow_now_nobody_waits_at_all(desk, ada, chat, hang, attempt) -> None:
    hang()
    attempt(desk.event(ada, chat))
    assert slow_sends.patience_s([Channel.TELEGRAM]) == 0
    assert slow_sends.patience_s([Channel.EMAIL]) > 0


@pytest.mark.parametrize(("taken_s", "patience_s"), [(0.01, 0.1), (0.04, 0.16), (0.06, 0)])
def test_only_brief_sends_are_waited_for(
    desk, ada, chat, provider, override, now, monkeypatch, taken_s, patience_s
) -> None:
    monkeypatch.setattr(slow_sends, "_typical_s", {})  # what this process has seen so far
    override(slow_send_s=1)
    provider(Receipt())
    passing = count()

    def clock():
        return now + timedelta(seconds=taken_s * next(passing))  # from one look to the next

    attempt_one(str(desk.delivery(desk.event(ada, chat)).pk), clock=clock, run_effects=Effects().add)
    assert slow_sends.patience_s([Channel.TELEGRAM]) == pytest.approx(patience_s)


def test_the_recorder_goes_on_with_the_batch_where_the_worker_left_it(
    desk, ada, chat, hang, answer, attempt
) -> None:
    hang(*[Receipt(f"m{n}") for n in range(5)])
    events = [desk.event(ada, chat, event_id=f"e{n}") for n in range(5)]
    attempt(*events)
    states = [desk.delivery(event).state for event in events]
    assert sorted(states) == ["pending"] * 3 + ["sending"] * 2  # only what has room is claimed
    answer.set()
    assert slow_sends.wait_until_recorded(within_s=10)
    assert {desk.delivery(event).state for event in events} == {"sent"}
    assert room.take(Channel.TELEGRAM, Priority.CRITICAL, 9) == 2  # all slots are free again
    room.give_back(Channel.TELEGRAM, 2)
