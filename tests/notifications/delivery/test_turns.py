"""Events with one key, as workers try them: never overtaken, and a pause ends with the newest."""

from datetime import timedelta

import pytest

from notifications import store
from notifications.delivery.attempt import attempt_many
from notifications.models import Delivery, Event
from notifications.settings import pipeline_settings
from notifications.states import Channel, DeliveryState, Priority
from notifications.transports.base import LimitedError, MessageError, TemporaryError
from tests.notifications.other_ends import unused

pytestmark = pytest.mark.django_db
KEY = {"ordering_key": "order-77"}


@pytest.fixture
def work(desk, now):
    """Do what workers and the sweep do until a time, from doorbell to doorbell, in any number of batches."""

    def work(*, until_s: float = 0.0, from_s: float = 0.0) -> None:
        at = from_s
        while at <= until_s:
            moment = now + timedelta(seconds=at)
            swept = store.sweep_deliveries(now=moment, settings=pipeline_settings())
            bells = {ring.delivery_id for ring in swept.rings}
            bells |= {str(pk) for pk in Delivery.objects.filter(attempts=0).values_list("pk", flat=True)}
            while bells:
                bells = _answer(sorted(bells), moment)
            at += 1

    def _answer(ids, moment) -> set[str]:
        rung = set()
        for effects in attempt_many(ids, clock=lambda: moment, run_effects=unused):
            rung |= {ring.delivery_id for ring in effects.rings if not ring.delay_s}
            rung |= {ring.delivery_id for ring in store.next_in_line(effects.freed, now=moment)}
        return rung

    return work


def sent(*fakes) -> list[str]:
    """Return the delivery ids that the providers have, in the order in which they came."""
    return [message.key for fake in fakes for _, message in fake.sent]


def keys(*event_ids, position=0) -> list[str]:
    rows = Delivery.objects.filter(position=position)
    return [str(rows.get(event__event_id=one).pk) for one in event_ids]


@pytest.fixture
def three(desk, ada, chat):
    """Three events with one key, accepted in one batch."""
    batch = [desk.acceptance(ada, name, chat, **KEY) for name in ("e1", "e2", "e3")]
    return store.accept(batch, now=desk.now)


def test_the_first_one_fails_at_first_and_is_still_the_first(desk, three, provider, work) -> None:
    telegram = provider(TemporaryError("no route"))
    work(until_s=40)

    e1, e2, e3 = keys("e1", "e2", "e3")
    assert sent(telegram) == [e1, e1, e2, e3]
    assert set(Event.objects.values_list("state", flat=True)) == {"delivered"}
    waited = Event.objects.get(event_id="e2").trace[-1]
    assert (waited["reason"], waited["behind"], waited["channel"]) == ("order", "e1", Channel.TELEGRAM)


def test_the_first_one_goes_to_its_next_channel_first(desk, ada, chat, mailbox, provider, work) -> None:
    telegram, email = provider(MessageError("too long")), provider(channel=Channel.EMAIL)
    for name in ("e1", "e2"):
        desk.event(ada, chat, mailbox, event_id=name, **KEY)
    work(until_s=10)

    [e1_mail] = keys("e1", position=1)
    assert (sent(telegram), sent(email)) == (keys("e1", "e2"), [e1_mail])
    first, second = Event.objects.order_by("seq")
    assert first.final_at <= second.final_at


def test_what_expires_in_the_line_lets_the_next_one_go(desk, ada, chat, provider, work, now) -> None:
    telegram = provider(TemporaryError("no route"), LimitedError("slow down", retry_after_s=600))
    desk.event(ada, chat, event_id="e1", expires_s=60, **KEY)
    desk.event(ada, chat, event_id="e2", expires_s=20, **KEY)
    desk.event(ada, chat, event_id="e3", **KEY)
    work(until_s=70)

    states = list(Event.objects.order_by("seq").values_list("state", flat=True))
    assert states == ["expired", "expired", "delivered"]
    assert sent(telegram)[-1:] == keys("e3")


def test_critical_behind_a_normal_one_takes_its_next_channel_after_ten_seconds(
    desk, ada, chat, mailbox, provider, work
) -> None:
    telegram = provider(LimitedError("slow down", retry_after_s=600))
    email = provider(channel=Channel.EMAIL)
    desk.event(ada, chat, event_id="e1", **KEY)
    desk.event(ada, chat, mailbox, event_id="e2", priority=Priority.CRITICAL, **KEY)
    work(until_s=8)
    assert sent(email) == []

    work(from_s=9, until_s=10)
    assert (sent(telegram), sent(email)) == (keys("e1"), keys("e2", position=1))
    assert Delivery.objects.get(event__event_id="e2", position=0).state == DeliveryState.SKIPPED


def test_critical_never_overtakes_an_earlier_one_on_a_channel(
    desk, ada, chat, mailbox, provider, work
) -> None:
    """The earlier one is on e-mail when the later one comes there."""
    provider(LimitedError("slow down", retry_after_s=600))
    email = provider(TemporaryError("try later"), channel=Channel.EMAIL)
    desk.event(ada, mailbox, event_id="e1", **KEY)
    desk.event(ada, chat, mailbox, event_id="e2", priority=Priority.CRITICAL, **KEY)
    work(until_s=90)

    assert sent(email) == keys("e1", "e1") + keys("e2", position=1)


def test_critical_ones_leave_a_channel_that_is_down_in_their_order(
    desk, ada, chat, mailbox, provider, work
) -> None:
    provider(*[LimitedError("slow down", retry_after_s=600)] * 5)
    email = provider(channel=Channel.EMAIL)
    for name in ("e1", "e2", "e3"):
        desk.event(ada, chat, mailbox, event_id=name, priority=Priority.CRITICAL, **KEY)
    work(until_s=30)

    assert sent(email) == keys("e1", "e2", "e3", position=1)


def test_after_an_outage_only_the_newest_state_is_sent(desk, ada, chat, provider, work) -> None:
    telegram = provider(TemporaryError("no route"))
    for name, version in (("v1", 1), ("v3", 3), ("v2", 2)):
        desk.event(ada, chat, event_id=name, collapse_key="pos-9", version=version)
        if version == 1:
            work()
    work(from_s=1, until_s=40)

    assert sent(telegram) == keys("v1", "v3")  # v1's send failed
    assert dict(Event.objects.values_list("event_id", "code")) == {
        "v1": "superseded",
        "v2": "superseded",
        "v3": "",
    }
