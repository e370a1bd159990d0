"""Digests from the acceptance to one message: what goes together, when, and what becomes of each event."""

from datetime import UTC, datetime, time, timedelta

import pytest

from notifications import store
from notifications.acks import event_ack
from notifications.delivery.attempt import attempt_many
from notifications.events import EventName
from notifications.ingest import ingest
from notifications.models import Delivery, Event
from notifications.operations.timeline import timeline
from notifications.settings import pipeline_settings
from notifications.states import Channel, Priority
from notifications.store import sweep_deliveries
from notifications.transports.base import LimitedError, MessageError, OutcomeUnknown, TemporaryError
from tests.notifications.other_ends import unused
from users.models import DefaultDigest, Digest, EventGroup, Hours, Mute

QUARTER = timedelta(minutes=15)
EVERY_DAY = list(range(7))
TELEGRAM, EMAIL = Channel.TELEGRAM, Channel.EMAIL


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 6, 3, 12, 0, tzinfo=UTC)


@pytest.fixture
def every_quarter(ada):
    return Digest.objects.create(user=ada, channel=TELEGRAM, mode="interval", period_s=900)


@pytest.fixture
def publish(desk, ada, now):
    def publish(*event_ids, at=now, **fields):
        return ingest([desk.envelope(ada, event_id, **fields) for event_id in event_ids], now=at)

    return publish


@pytest.fixture
def sweep():
    """Ring for what is due at a time, and let a worker try it."""

    def sweep(at):
        rings = [ring.delivery_id for ring in sweep_deliveries(now=at, settings=pipeline_settings()).rings]
        return [
            pk
            for effects in attempt_many(rings, clock=lambda: at, run_effects=unused)
            for pk in effects.finals
        ]

    return sweep


def of(event_id, position=0) -> Delivery:
    return Delivery.objects.get(event__event_id=event_id, position=position)


def held_until(event_id):
    return of(event_id).held_until


def states():
    rows = Delivery.objects.order_by("event__event_id", "position").select_related("event")
    return [f"{row.event.event_id} {Channel(row.channel).name} {row.state}" for row in rows]


def test_a_burst_is_one_message_a_quarter_after_the_first(
    every_quarter, chat, publish, sweep, now, provider
) -> None:
    fake = provider()
    [first, _] = publish("e1", "e2")
    publish("e3", at=now + timedelta(minutes=10))
    assert [held_until(one) for one in ("e1", "e2", "e3")] == [now + QUARTER] * 3
    assert [
        line["until"] for line in Event.objects.get(event_id="e3").trace if line["reason"] == "digest"
    ] == [(now + QUARTER).isoformat()]
    assert ("TELEGRAM", f"digest until {(now + QUARTER).isoformat()}") in [
        (one.channel.name, one.reason) for one in first.outcomes
    ]
    assert sweep(now + QUARTER - timedelta(seconds=1)) == []

    finals = sweep(now + QUARTER)

    [(_, message)] = fake.sent
    assert message.title == "3 notifications"
    assert message.text.count("•") == 3
    assert sorted(finals) == sorted(Event.objects.values_list("pk", flat=True))
    assert sweep(now + 2 * QUARTER) == []


def test_each_event_says_which_message_it_is_in(every_quarter, chat, publish, sweep, now, provider) -> None:
    provider()
    publish("e1", "e2")
    sweep(now + QUARTER)
    carrier = of("e1")
    assert {row.merged_into for row in Delivery.objects.all()} == {carrier.pk}
    assert {row.provider_message_id for row in Delivery.objects.all()} == {"m1"}
    for event in Event.objects.all():
        ack = event_ack(event, event.deliveries.all(), now=now)
        assert (ack.status, ack.final, ack.delivered_via, ack.evidence) == (
            "DELIVERED", True, TELEGRAM, "transport",
        )  # fmt: skip
        assert f"merged into {carrier.pk}" in [one.reason for one in ack.outcomes]
        [line] = [line for line in event.trace if line["verdict"] == "merged"]
        assert (line["into"], line["count"], line["at"]) == (
            str(carrier.pk), 2, (now + QUARTER).isoformat(),
        )  # fmt: skip
        assert any("one of 2" in step["text"] for step in timeline(event, event.deliveries.all()))


def test_one_alone_comes_as_itself(every_quarter, chat, publish, sweep, now, provider) -> None:
    fake = provider()
    publish("e1")
    sweep(now + QUARTER)
    assert "notification" not in fake.sent[0][1].title
    assert of("e1").merged_into is None


def test_a_critical_event_never_waits(every_quarter, chat, publish, sweep, now, provider) -> None:
    fake = provider()
    publish("e1", "e2")
    publish("urgent", priority=Priority.CRITICAL)
    sweep(now + timedelta(seconds=10))
    assert len(fake.sent) == 1
    assert "🚨" in fake.sent[0][1].text
    sweep(now + QUARTER)
    assert fake.sent[1][1].title == "2 notifications"


def test_what_was_acknowledged_confirmed_read_or_muted_is_not_in_the_list(
    every_quarter, ada, chat, publish, sweep, now, provider
) -> None:
    fake = provider()
    publish("acked", "confirmed", "read", "left", "kept")
    publish("muted", event_type="PRICE_ALERT")
    later = now + timedelta(minutes=5)
    store.acknowledge(ada.pk, EventName("exchange", "acked"), now=later)
    store.confirm([(ada.pk, EventName("exchange", "confirmed"))], now=later)
    store.inbox.mark(ada.pk, [EventName("exchange", "read")], "read", now=later)
    Mute.objects.create(user=ada, event_type="PRICE_ALERT")

    finals = sweep(now + QUARTER)

    assert fake.sent[0][1].title == "2 notifications"
    read = Event.objects.get(event_id="read")
    assert (read.state, read.evidence, read.pk in finals) == ("delivered", "client", True)
    assert Event.objects.get(event_id="muted").code == "muted"
    assert len(finals) == 4


def test_what_expires_before_goes_at_once(every_quarter, chat, publish, sweep, now, provider) -> None:
    fake = provider()
    publish("e1", expires_at_ms=round((now + timedelta(minutes=10)).timestamp() * 1000))
    sweep(now + timedelta(seconds=10))
    assert len(fake.sent) == 1


def test_what_waits_does_not_expire(chat, ada, publish, now) -> None:
    Digest.objects.create(user=ada, channel=TELEGRAM, mode="schedule", times=[time(9)], weekdays=[0])
    publish("e1")
    monday = datetime(2026, 6, 8, 9, tzinfo=UTC)
    event = Event.objects.get()
    assert held_until("e1") == monday
    assert event.expires_at > monday


def test_groups_and_channels_have_digests_of_their_own(
    ada, chat, mailbox, publish, sweep, now, provider
) -> None:
    orders = EventGroup.objects.create(name="orders", label="Orders", event_types=["ORDER_*"])
    Digest.objects.create(user=ada, channel=TELEGRAM, mode="interval", period_s=900)
    Digest.objects.create(user=ada, channel=TELEGRAM, group=orders, mode="interval", period_s=900)
    fake = provider()
    publish("e1", "e2")
    publish("e3", "e4", event_type="PRICE_ALERT")
    sweep(now + QUARTER)
    assert [message.title for _, message in fake.sent] == ["2 notifications"] * 2


def test_the_operators_digest_is_the_default_and_a_person_may_switch_it_off(ada, chat, publish, now) -> None:
    DefaultDigest.objects.create(channel=TELEGRAM, mode="interval", period_s=900)
    publish("e1")
    Digest.objects.create(user=ada, channel=TELEGRAM, event_type="ORDER_FILLED", mode="off")
    publish("e2")
    assert (held_until("e1"), held_until("e2")) == (now + QUARTER, None)


def test_what_repeats_is_collected_and_the_first_goes_at_once(
    ada, chat, publish, sweep, now, provider
) -> None:
    Digest.objects.create(user=ada, channel=TELEGRAM, mode="repeats", period_s=900)
    fake = provider()
    publish("e1")
    publish("other", event_type="PRICE_ALERT")
    sweep(now + timedelta(seconds=10))
    assert len(fake.sent) == 2
    minute = now + timedelta(minutes=1)
    publish("e2", "e3", at=minute)
    sweep(minute + timedelta(seconds=10))
    assert held_until("e2") == held_until("e3") == now + timedelta(seconds=910)
    assert len(fake.sent) == 2

    due = now + timedelta(seconds=910)
    sweep(due)
    assert fake.sent[2][1].title == "2 notifications"
    publish("e4", at=due + timedelta(minutes=1))
    sweep(due + timedelta(minutes=1, seconds=10))
    assert held_until("e4") == due + QUARTER, "the digest was the last message of its type"


def test_a_digest_waits_for_the_end_of_quiet_hours(
    ada, every_quarter, chat, publish, sweep, provider
) -> None:
    Hours.objects.create(user=ada, kind="quiet", weekdays=EVERY_DAY, starts=time(22), ends=time(7))
    fake = provider()
    evening = datetime(2026, 6, 3, 21, 50, tzinfo=UTC)
    publish("e1", at=evening)
    publish("e2", at=evening + timedelta(hours=2))
    morning = datetime(2026, 6, 4, 7, tzinfo=UTC)
    assert held_until("e1") == held_until("e2") == morning
    sweep(morning)
    assert [message.title for _, message in fake.sent] == ["2 notifications"]


def test_another_wish_does_not_send_it_early_and_its_end_does(
    ada, every_quarter, chat, publish, sweep, now, provider
) -> None:
    fake = provider()
    publish("e1", "e2")
    minute = now + timedelta(minutes=1)
    Mute.objects.create(user=ada, event_type="PRICE_ALERT")
    store.look_again(ada.pk, now=minute)
    sweep(minute)
    assert fake.sent == []
    assert held_until("e1") == now + QUARTER

    every_quarter.delete()
    store.look_again(ada.pk, now=minute)
    sweep(minute)
    assert [message.title for _, message in fake.sent] == ["2 notifications"]


def test_two_workers_send_it_once(
    transactional_db, every_quarter, chat, publish, now, provider, side_by_side
) -> None:
    fake = provider()
    publish(*(f"e{number}" for number in range(20)))
    ids = [str(pk) for pk in Delivery.objects.values_list("pk", flat=True)]
    due = now + QUARTER

    def work(mine):
        return lambda: list(attempt_many(mine, clock=lambda: due, run_effects=unused))

    side_by_side(work(ids[:10]), work(ids[10:]))
    assert [message.title for _, message in fake.sent] == ["20 notifications"]
    assert set(Event.objects.values_list("state", flat=True)) == {"delivered"}


def test_a_claim_whose_worker_died_ends_as_unknown_for_each(
    every_quarter, chat, publish, sweep, now, desk, provider
) -> None:
    fake = provider()
    publish("e1", "e2")
    due = now + QUARTER
    row, *members = store.collected(chat.pk, before=due, now=due, max_tries=8, limit=10)
    from dataclasses import replace
    from uuid import uuid4

    claimed = store.claim_digest(replace(row, members=tuple(members)), token=uuid4(), now=due, lease_s=55)
    assert claimed is not None
    assert sweep(due + timedelta(seconds=30)) == []
    sweep(due + timedelta(seconds=60))
    assert fake.sent == []
    assert states() == ["e1 TELEGRAM unknown", "e2 TELEGRAM unknown"]
    assert set(Event.objects.values_list("code", flat=True)) == {"outcome_unknown"}


def test_a_digest_of_which_one_was_acknowledged_is_not_claimed(
    every_quarter, ada, chat, publish, now
) -> None:
    from dataclasses import replace
    from uuid import uuid4

    publish("e1", "e2", "e3")
    due = now + QUARTER
    row, *members = store.collected(chat.pk, before=due, now=due, max_tries=8, limit=10)
    store.acknowledge(ada.pk, EventName("exchange", "e2"), now=due)
    whole = replace(row, members=tuple(members))
    assert store.claim_digest(whole, token=uuid4(), now=due, lease_s=55) is None
    assert states() == ["e1 TELEGRAM pending", "e2 TELEGRAM cancelled", "e3 TELEGRAM pending"]


@pytest.mark.parametrize(
    ("error", "after"),
    [
        (MessageError("no"), "e1 TELEGRAM failed, e1 EMAIL pending, e2 TELEGRAM failed, e2 EMAIL pending"),
        (OutcomeUnknown("?"), "e1 TELEGRAM unknown, e2 TELEGRAM unknown"),
        (TemporaryError("later"), "e1 TELEGRAM deferred, e2 TELEGRAM deferred"),
        (LimitedError("slow", 30.0), "e1 TELEGRAM deferred, e2 TELEGRAM deferred"),
    ],
)
def test_a_failed_digest_failed_for_each(
    error, after, every_quarter, chat, mailbox, publish, sweep, now, provider
) -> None:
    provider(error)
    publish("e1", "e2")
    sweep(now + QUARTER)
    assert ", ".join(states()) == after


def test_a_retry_is_the_same_digest(every_quarter, chat, publish, sweep, now, provider) -> None:
    fake = provider(TemporaryError("later"))
    publish("e1", "e2")
    sweep(now + QUARTER)
    finals = sweep(now + QUARTER + timedelta(minutes=2))
    assert [message.title for _, message in fake.sent] == ["2 notifications"] * 2
    assert fake.sent[0][1].key == fake.sent[1][1].key
    assert len(finals) == 2


def test_a_retry_waits_for_its_provider_however_many_ring(
    every_quarter, chat, publish, now, provider
) -> None:
    fake = provider(LimitedError("slow", 300.0))
    publish("e1", "e2", "e3")
    due = now + QUARTER
    list(attempt_many([str(of("e1").pk)], clock=lambda: due, run_effects=unused))
    Delivery.objects.filter(event__event_id="e3").update(not_before=due)
    list(attempt_many([str(of("e3").pk)], clock=lambda: due + timedelta(seconds=1), run_effects=unused))
    assert len(fake.sent) == 1
    assert of("e3").not_before >= due + timedelta(seconds=300)


def test_a_page_shows_each_event_at_once(every_quarter, ada, chat, publish, open_page) -> None:
    page = open_page(ada)
    publish("e1", "e2")
    assert [("silent" in frame) for frame in page.frames()] == [False, False]


def test_events_of_one_key_go_together_in_their_order(
    every_quarter, chat, publish, sweep, now, provider
) -> None:
    fake = provider()
    publish("e1", "e2", "e3", ordering_key="order-77")
    finals = sweep(now + QUARTER)

    [(_, message)] = fake.sent
    assert message.title == "3 notifications"
    assert len(finals) == 3
    assert {row.merged_into for row in Delivery.objects.all()} == {of("e1").pk}


def test_no_digest_takes_an_event_along_whose_turn_has_not_come(
    every_quarter, chat, publish, sweep, now, provider
) -> None:
    """The first one goes without a digest, and is tried again much later."""
    provider(LimitedError("slow down", 36_000))
    publish("e1", ordering_key="order-77", priority=Priority.CRITICAL)
    sweep(now + timedelta(seconds=6))
    publish("e2", ordering_key="order-77")
    publish("e3")
    sweep(now + QUARTER + timedelta(seconds=1))

    assert states() == ["e1 TELEGRAM deferred", "e2 TELEGRAM pending", "e3 TELEGRAM sent"]
    assert Event.objects.get(event_id="e2").trace[-1]["behind"] == "e1"
