"""What may be sent now: an open breaker moves CRITICAL to its next channel; limits give each send a slot."""

from datetime import timedelta

import pytest

from notifications import store
from notifications.delivery import admission, breaker, rate_limits
from notifications.delivery.breaker import CALLS_AT_LEAST, OPEN_MS
from notifications.models import Attempt
from notifications.settings import PipelineSettings
from notifications.states import Channel, Priority
from runtime.redis.client import client


@pytest.fixture
def ada(desk):
    return desk.person()


@pytest.fixture
def chat(desk, ada):
    return desk.address(ada, Channel.TELEGRAM)


@pytest.fixture
def mailbox(desk, ada):
    return desk.address(ada, Channel.EMAIL)


def due(desk, now, *events):
    rows = [str(desk.delivery(event).pk) for event in events]
    return store.look_up(rows, now=now, max_tries=8)


def open_breaker() -> None:
    breaker.record("TELEGRAM", calls=CALLS_AT_LEAST, failed=CALLS_AT_LEAST)


@pytest.mark.django_db
def test_with_all_well_everything_may_be_sent(desk, ada, chat, now) -> None:
    rows = due(desk, now, desk.event(ada, chat))
    assert admission.admit(rows, clock=lambda: now)[0] == rows


@pytest.mark.django_db
def test_an_open_breaker_moves_critical_to_its_next_channel_at_once(desk, ada, chat, mailbox, now) -> None:
    event = desk.event(ada, chat, mailbox, priority=Priority.CRITICAL)
    open_breaker()
    admitted, effects = admission.admit(due(desk, now, event), clock=lambda: now)
    assert admitted == []
    assert desk.delivery(event).state == "skipped"
    assert [ring.delivery_id for ring in effects.rings] == [str(desk.delivery(event, 1).pk)]
    assert Attempt.objects.get().outcome == "circuit_open"


@pytest.mark.django_db
@pytest.mark.parametrize("priority", [Priority.NORMAL, Priority.CRITICAL])
def test_what_has_nowhere_else_to_go_waits_and_no_try_is_counted(desk, ada, chat, now, priority) -> None:
    event = desk.event(ada, chat, priority=priority)
    open_breaker()
    admitted, effects = admission.admit(due(desk, now, event), clock=lambda: now)
    row = desk.delivery(event)
    assert (admitted, effects.rings) == ([], [])
    assert (row.state, row.attempts) == ("pending", 0)
    earliest = now + timedelta(milliseconds=OPEN_MS - 1_000)
    assert earliest < row.ring_at == row.not_before < now + timedelta(milliseconds=OPEN_MS + 6_000)


@pytest.mark.django_db
def test_an_open_breaker_of_one_provider_leaves_the_other_alone(desk, ada, chat, mailbox, now) -> None:
    by_chat = desk.event(ada, chat, event_id="a", priority=Priority.NORMAL)
    by_mail = desk.event(ada, mailbox, event_id="b", priority=Priority.NORMAL)
    open_breaker()
    admitted, _ = admission.admit(due(desk, now, by_chat, by_mail), clock=lambda: now)
    assert [row.channel for row in admitted] == [Channel.EMAIL]


@pytest.mark.django_db
def test_a_limited_send_waits_for_its_slot_and_then_needs_no_other(desk, ada, chat, now, limited) -> None:
    first, second = (desk.event(ada, chat, event_id=name) for name in "ab")
    [row], _ = admission.admit(due(desk, now, first), clock=lambda: now)
    admitted, _ = admission.admit(due(desk, now, second), clock=lambda: now)
    assert (row.event_id, admitted) == ("a", [])
    waiting = desk.delivery(second)
    assert (waiting.state, waiting.attempts) == ("pending", 0)
    assert now < waiting.slot_at == waiting.not_before <= now + timedelta(seconds=1)
    at_slot = waiting.slot_at
    rows = due(desk, at_slot, second)
    assert admission.admit(rows, clock=lambda: at_slot)[0] == rows


@pytest.mark.django_db
def test_a_near_slot_is_rung_for_to_the_moment(desk, ada, chat, now, limited) -> None:
    first, second = (desk.event(ada, chat, event_id=name) for name in "ab")
    admission.admit(due(desk, now, first), clock=lambda: now)
    _, effects = admission.admit(due(desk, now, second), clock=lambda: now)
    waiting = desk.delivery(second)
    [ring] = effects.rings
    assert (ring.delivery_id, ring.alone) == (str(waiting.pk), True)
    assert waiting.slot_at <= now + timedelta(seconds=ring.delay_s) < waiting.slot_at + timedelta(seconds=0.1)
    assert waiting.ring_at == waiting.slot_at + timedelta(seconds=store.GRACE_S)


@pytest.mark.django_db
def test_a_broker_without_countdowns_leaves_the_slot_to_the_sweep(
    desk, ada, chat, now, limited, override
) -> None:
    override(telegram_per_s=25, countdown_max_s=0.0)
    first, second = (desk.event(ada, chat, event_id=name) for name in "ab")
    admission.admit(due(desk, now, first), clock=lambda: now)
    assert admission.admit(due(desk, now, second), clock=lambda: now)[1].rings == []
    waiting = desk.delivery(second)
    assert waiting.ring_at == waiting.slot_at


def hold(chat, wait_s: float) -> None:
    limits = rate_limits.limits_of(Channel.TELEGRAM, chat.address)
    rate_limits.hold(limits, wait_s=wait_s)


@pytest.mark.django_db
def test_a_far_slot_is_rung_for_by_the_sweep_just_before_it(desk, ada, chat, now, limited) -> None:
    hold(chat, 30)
    event = desk.event(ada, chat, priority=Priority.CRITICAL)
    assert admission.admit(due(desk, now, event), clock=lambda: now)[1].rings == []
    waiting = desk.delivery(event)
    assert waiting.ring_at == waiting.slot_at - timedelta(seconds=store.SLOT_LEAD_S)
    [ring] = store.sweep_deliveries(now=waiting.ring_at, settings=PipelineSettings()).rings
    assert (ring.delay_s, ring.alone) == (store.SLOT_LEAD_S, True)


@pytest.mark.django_db
def test_normal_reserves_a_few_seconds_ahead_only_and_comes_again(desk, ada, chat, now, limited) -> None:
    hold(chat, 30)
    event = desk.event(ada, chat)
    assert admission.admit(due(desk, now, event), clock=lambda: now)[1].rings == []
    waiting = desk.delivery(event)
    assert waiting.slot_at is None
    assert now + timedelta(seconds=4) <= waiting.ring_at <= now + timedelta(seconds=12)


@pytest.mark.django_db
def test_who_waits_for_a_slot_is_looked_at_when_the_event_expires(desk, ada, chat, now, limited) -> None:
    for name in "abcd":
        admission.admit(due(desk, now, desk.event(ada, chat, event_id=name)), clock=lambda: now)
    event = desk.event(ada, chat, event_id="e", expires_s=0.3)
    admission.admit(due(desk, now, event), clock=lambda: now)
    assert desk.delivery(event).ring_at == now + timedelta(seconds=0.3)


@pytest.mark.django_db
def test_a_slot_that_is_long_past_is_asked_for_again(desk, ada, chat, now, limited) -> None:
    for name in "ab":
        admission.admit(due(desk, now, desk.event(ada, chat, event_id=name)), clock=lambda: now)
    event = desk.event(ada, chat, event_id="c")
    admission.admit(due(desk, now, event), clock=lambda: now)
    late = desk.delivery(event).slot_at + timedelta(seconds=60)
    [row] = due(desk, late, event)
    assert not row.has_slot


@pytest.fixture
def limited(override):
    override(telegram_per_s=25)
    yield
    for key in client().scan_iter("limit.*"):
        client().delete(key)


@pytest.mark.django_db
def test_mail_is_limited_while_the_limits_of_telegram_are_off(
    desk, ada, chat, now, limited, override
) -> None:
    override(telegram_per_s=0)
    mailbox = desk.address(ada, Channel.EMAIL, address="ada@limited.example")
    events = [desk.event(ada, mailbox, event_id=f"m{number}") for number in range(25)]
    events += [desk.event(ada, chat, event_id=f"t{number}") for number in range(25)]
    admitted, _ = admission.admit(due(desk, now, *events), clock=lambda: now)
    channels = [row.channel for row in admitted]
    assert channels.count(Channel.TELEGRAM) == 25
    assert 20 <= channels.count(Channel.EMAIL) < 25


def test_a_batch_breaker_trips_when_a_provider_fails() -> None:
    batch_breaker = admission.BatchBreaker()
    for _ in range(CALLS_AT_LEAST - 1):
        batch_breaker.count(Channel.TELEGRAM, failed=True)
    assert not batch_breaker.tripped(Channel.TELEGRAM)
    batch_breaker.count(Channel.TELEGRAM, failed=True)
    assert batch_breaker.tripped(Channel.TELEGRAM)
    assert not batch_breaker.tripped(Channel.EMAIL)


def test_the_default_limit_is_below_telegrams(override) -> None:
    override(telegram_per_s=PipelineSettings().telegram_per_s)
    [bot, _] = rate_limits.limits_of(Channel.TELEGRAM, "42")
    assert bot.count < 30
