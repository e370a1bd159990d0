"""What may be sent now: an open breaker moves CRITICAL on, and a limit gives every send its slot."""

from datetime import timedelta

import pytest

from notifications import breaker, gate, knobs, live, rate_limits, store
from notifications.breaker import CALLS_AT_LEAST, OPEN_MS
from notifications.models import Attempt
from notifications.states import Channel, Priority


@pytest.fixture
def ada(desk):
    return desk.person()


@pytest.fixture
def chat(desk, ada):
    return desk.address(ada, Channel.TELEGRAM)


@pytest.fixture
def mailbox(desk, ada):
    return desk.address(ada, Channel.EMAIL)


def claimed(desk, now, *events):
    rows = [str(desk.delivery(event).pk) for event in events]
    return store.claim(rows, now=now, lease_s=55, max_tries=8)


def open_breaker() -> None:
    breaker.record("TELEGRAM", calls=CALLS_AT_LEAST, failed=CALLS_AT_LEAST)


@pytest.mark.django_db
def test_with_all_well_everything_may_be_sent(desk, ada, chat, now) -> None:
    rows = claimed(desk, now, desk.event(ada, chat))
    assert gate.admit(rows, clock=lambda: now)[0] == rows


@pytest.mark.django_db
def test_an_open_breaker_moves_critical_to_its_next_channel_at_once(desk, ada, chat, mailbox, now) -> None:
    event = desk.event(ada, chat, mailbox, priority=Priority.CRITICAL)
    open_breaker()
    admitted, aftermath = gate.admit(claimed(desk, now, event), clock=lambda: now)
    assert admitted == []
    assert desk.delivery(event).state == "skipped"
    assert [ring.delivery_id for ring in aftermath.rings] == [str(desk.delivery(event, 1).pk)]
    assert Attempt.objects.get().outcome == "circuit_open"


@pytest.mark.django_db
@pytest.mark.parametrize("priority", [Priority.NORMAL, Priority.CRITICAL])
def test_what_has_nowhere_else_to_go_waits_and_no_try_is_counted(desk, ada, chat, now, priority) -> None:
    event = desk.event(ada, chat, priority=priority)
    open_breaker()
    admitted, aftermath = gate.admit(claimed(desk, now, event), clock=lambda: now)
    row = desk.delivery(event)
    assert (admitted, aftermath.rings) == ([], [])
    assert (row.state, row.attempts) == ("pending", 0)
    earliest = now + timedelta(milliseconds=OPEN_MS - 1_000)
    assert earliest < row.ring_at == row.not_before < now + timedelta(milliseconds=OPEN_MS + 6_000)


@pytest.mark.django_db
def test_an_open_breaker_of_one_provider_leaves_the_other_alone(desk, ada, chat, mailbox, now) -> None:
    by_chat = desk.event(ada, chat, event_id="a", priority=Priority.NORMAL)
    by_mail = desk.event(ada, mailbox, event_id="b", priority=Priority.NORMAL)
    open_breaker()
    admitted, _ = gate.admit(claimed(desk, now, by_chat, by_mail), clock=lambda: now)
    assert [row.channel for row in admitted] == [Channel.EMAIL]


@pytest.mark.django_db
def test_a_limited_send_waits_for_its_slot_and_then_needs_no_other(desk, ada, chat, now, limited) -> None:
    first, second = (desk.event(ada, chat, event_id=name) for name in "ab")
    [row], _ = gate.admit(claimed(desk, now, first), clock=lambda: now)
    admitted, _ = gate.admit(claimed(desk, now, second), clock=lambda: now)
    assert (row.event_id, admitted) == ("a", [])
    waiting = desk.delivery(second)
    assert (waiting.state, waiting.attempts) == ("pending", 0)
    assert now < waiting.slot_at == waiting.not_before == waiting.ring_at <= now + timedelta(seconds=1)
    at_slot = waiting.slot_at
    rows = claimed(desk, at_slot, second)
    assert gate.admit(rows, clock=lambda: at_slot)[0] == rows


@pytest.mark.django_db
def test_a_slot_that_is_long_past_is_asked_for_again(desk, ada, chat, now, limited) -> None:
    for name in "ab":
        gate.admit(claimed(desk, now, desk.event(ada, chat, event_id=name)), clock=lambda: now)
    event = desk.event(ada, chat, event_id="c")
    gate.admit(claimed(desk, now, event), clock=lambda: now)
    late = desk.delivery(event).slot_at + timedelta(seconds=60)
    [row] = claimed(desk, late, event)
    assert not row.has_slot


@pytest.fixture
def limited(knobs):
    knobs(telegram_per_s=25)
    yield
    for key in live.client().scan_iter("limit.*"):
        live.client().delete(key)


def test_a_fuse_blows_when_a_batch_sees_a_provider_fail() -> None:
    fuse = gate.Fuse()
    for _ in range(CALLS_AT_LEAST - 1):
        fuse.count(Channel.TELEGRAM, failed=True)
    assert not fuse.blown(Channel.TELEGRAM)
    fuse.count(Channel.TELEGRAM, failed=True)
    assert fuse.blown(Channel.TELEGRAM)
    assert not fuse.blown(Channel.EMAIL)


def test_the_default_limit_is_below_telegrams() -> None:
    [bot, _] = rate_limits.limits_of(Channel.TELEGRAM, "42", knobs.Knobs())
    assert bot.count < 30
