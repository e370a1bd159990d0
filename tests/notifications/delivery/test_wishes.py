"""Wishes from the acceptance to the send: what is held, released, skipped and pierced, with given times."""

from datetime import UTC, datetime, time, timedelta

import pytest

from notifications import acks, store
from notifications.delivery.attempt import NotDue, attempt_one
from notifications.ingest import ingest
from notifications.models import Delivery, Event
from notifications.operations import monitor
from notifications.operations.timeline import timeline
from notifications.settings import pipeline_settings
from notifications.states import Channel, Priority
from notifications.store import sweep_deliveries
from notifications.transports.base import Receipt, TemporaryError
from tests.notifications.other_ends import unused
from users.models import ChannelPreference, EventGroup, Hours, Mute, PiercingOptOut, Throttle

EVERY_DAY = list(range(7))


@pytest.fixture
def now() -> datetime:
    """In the night of Zurich's clock change: quiet hours end at 05:00 UTC, an hour earlier than before."""
    return datetime(2026, 3, 29, 0, 0, tzinfo=UTC)


MORNING = datetime(2026, 3, 29, 5, 0, tzinfo=UTC)


@pytest.fixture
def quiet(ada):
    """Nothing from 22:00 to 07:00 in Zurich."""
    ada.time_zone = "Europe/Zurich"
    ada.save()
    return Hours.objects.create(user=ada, kind="quiet", weekdays=EVERY_DAY, starts=time(22), ends=time(7))


@pytest.fixture
def publish(desk, ada, now):
    def publish(event_id="e1", **fields):
        [ack] = ingest([desk.envelope(ada, event_id, **fields)], now=now)
        return ack

    return publish


@pytest.fixture
def attempt(desk):
    def attempt(event, at, position=0):
        return attempt_one(str(desk.delivery(event, position).pk), clock=lambda: at, run_effects=unused)

    return attempt


def lines(event, verdict):
    event.refresh_from_db()
    return [(line["reason"], line.get("until")) for line in event.trace if line["verdict"] == verdict]


def test_a_normal_event_is_held_until_the_morning_and_the_trace_says_when(
    quiet, chat, publish, attempt, desk, now, provider, doorbells
) -> None:
    fake = provider(Receipt("m1"))
    ack = publish()
    event = Event.objects.get()
    row = desk.delivery(event)
    assert (row.not_before, row.held_until, row.wait_reason) == (MORNING, MORNING, "quiet_hours")
    assert lines(event, "held") == [("quiet_hours", "2026-03-29T05:00:00+00:00")]
    assert ("TELEGRAM", "pending", "quiet_hours until 2026-03-29T05:00:00+00:00") in [
        (one.channel.name, one.state, one.reason) for one in ack.outcomes
    ]
    with pytest.raises(NotDue):
        attempt(event, MORNING - timedelta(seconds=1))
    settings = pipeline_settings()
    assert not sweep_deliveries(now=MORNING - timedelta(seconds=1), settings=settings).rings
    assert [r.delivery_id for r in sweep_deliveries(now=MORNING, settings=settings).rings] == [str(row.pk)]
    assert attempt(event, MORNING).finals == [event.pk]
    [(_, message)] = fake.sent
    assert "quiet" not in message.text
    assert "held" in {step["kind"] for step in timeline(event, Delivery.objects.all())}


def test_a_critical_event_pierces_and_says_so(quiet, chat, mailbox, publish, attempt, now, provider) -> None:
    fake = provider(Receipt("m1"))
    publish(priority=Priority.CRITICAL)
    event = Event.objects.get()
    assert [line["reason"] for line in event.trace[1:]] == ["pierces quiet_hours"] * 2
    attempt(event, now)
    [(_, message)] = fake.sent
    assert "Sent during your quiet hours because it is critical." in message.text


def test_the_notice_is_in_the_persons_language(quiet, ada, chat, publish, attempt, now, provider) -> None:
    ada.locale = "de"
    ada.save()
    fake = provider(Receipt("m1"))
    publish(priority=Priority.CRITICAL)
    attempt(Event.objects.get(), now)
    assert "Während Ihrer Ruhezeiten" in fake.sent[0][1].text


def test_a_page_gets_it_at_once_and_silently(quiet, ada, chat, publish, now, open_page) -> None:
    page = open_page(ada)
    publish()
    [frame] = page.frames()
    assert (frame["type"], frame["silent"]) == ("event", True)
    publish("e2", priority=Priority.CRITICAL)
    [frame] = page.frames()[-1:]
    assert "silent" not in frame
    assert "Sent during your quiet hours" in frame["body"]


def test_a_later_channel_in_the_night_is_held_too(
    quiet, ada, chat, publish, attempt, desk, now, open_page
) -> None:
    open_page(ada)
    publish()
    event = Event.objects.get()
    page_row = desk.delivery(event)
    assert page_row.channel == Channel.WEB
    store.give_up([str(page_row.pk)], now=now + timedelta(seconds=6), kind="unconfirmed", error="late")
    assert (desk.delivery(event, 1).held_until, desk.delivery(event, 1).wait_reason) == (
        MORNING,
        "quiet_hours",
    )


def test_a_retry_in_quiet_hours_waits_for_their_end(ada, chat, publish, attempt, desk, now, provider) -> None:
    provider(TemporaryError("busy"), Receipt("m1"))
    publish()
    event = Event.objects.get()
    with pytest.raises(TemporaryError):
        attempt(event, now)
    Hours.objects.create(user=ada, kind="quiet", weekdays=EVERY_DAY, starts=time(0), ends=time(5))
    attempt(event, now + timedelta(minutes=1))
    row = desk.delivery(event)
    assert (row.state, row.attempts, row.held_until) == ("deferred", 1, MORNING)
    assert lines(event, "held") == [("quiet_hours", "2026-03-29T05:00:00+00:00")]
    assert attempt(event, MORNING).finals == [event.pk]


def test_what_is_switched_off_while_it_is_held_is_not_sent(
    quiet, ada, chat, mailbox, publish, attempt, desk, now, provider
) -> None:
    provider(Receipt("m1"))
    mail = provider(Receipt("m2"), channel=Channel.EMAIL)
    publish()
    event = Event.objects.get()
    ChannelPreference.objects.create(user=ada, channel=Channel.TELEGRAM, enabled=False)
    assert [r.delivery_id for r in attempt(event, MORNING).rings] == [str(desk.delivery(event, 1).pk)]
    assert (desk.delivery(event).state, desk.delivery(event).error) == ("skipped", "switched_off")
    assert ("switched_off", None) in lines(event, "skipped")
    attempt(event, MORNING, 1)
    assert len(mail.sent) == 1


def test_a_mute_that_comes_while_it_is_held_ends_it_in_the_inbox(
    quiet, ada, chat, publish, attempt, now
) -> None:
    publish()
    event = Event.objects.get()
    until = MORNING + timedelta(days=2)
    Mute.objects.create(user=ada, until=until)
    attempt(event, MORNING)
    event.refresh_from_db()
    assert (event.state, event.code) == ("failed", "muted")
    ack = acks.event_ack(event, event.deliveries.all(), now=MORNING)
    assert (ack.outcomes[1].state, ack.outcomes[1].reason) == ("skipped", "muted until 2026-03-31 05:00 UTC")


def test_longer_quiet_hours_hold_it_again(quiet, ada, chat, publish, attempt, desk, now) -> None:
    publish()
    event = Event.objects.get()
    Hours.objects.update(ends=time(9))
    attempt(event, MORNING)
    assert desk.delivery(event).held_until == MORNING + timedelta(hours=2)
    assert [until for _, until in lines(event, "held")] == [
        "2026-03-29T05:00:00+00:00", "2026-03-29T07:00:00+00:00",
    ]  # fmt: skip


def test_what_is_held_goes_at_once_when_the_person_wants_it(
    quiet, ada, chat, publish, attempt, desk, now, provider
) -> None:
    provider(Receipt("m1"))
    publish()
    event = Event.objects.get()
    quiet.delete()
    later = now + timedelta(minutes=5)
    effects = store.look_again(ada.pk, now=later)
    assert [ring.delivery_id for ring in effects.rings] == [str(desk.delivery(event).pk)]
    assert attempt(event, later).finals == [event.pk]


def test_an_event_that_expires_before_its_release_ends_at_once(quiet, chat, publish, now) -> None:
    ack = publish(expires_at_ms=round((MORNING - timedelta(hours=1)).timestamp() * 1000))
    assert (ack.final, ack.code) == (True, "expires_while_held")
    assert ack.outcomes[1].reason == "expires_while_held until 2026-03-29T05:00:00+00:00"


def test_an_event_does_not_expire_while_it_is_held(ada, chat, publish, now) -> None:
    Hours.objects.create(user=ada, kind="window", weekdays=[4], starts=time(9), ends=time(10))
    publish()
    event = Event.objects.get()
    friday = datetime(2026, 4, 3, 9, tzinfo=UTC)
    assert event.expires_at == friday + timedelta(seconds=pipeline_settings().expiry_normal_s)


def test_a_muted_event_is_in_the_inbox_and_its_producer_knows(ada, chat, publish, now) -> None:
    until = now + timedelta(hours=2)
    Mute.objects.create(user=ada, event_type="ORDER_FILLED", until=until)
    ack = publish()
    assert (ack.final, ack.status, ack.code, ack.seq) == (True, "ACK_ERROR", "muted", 1)
    assert lines(Event.objects.get(), "skipped")[1] == ("muted", until.isoformat())


@pytest.fixture
def prices(ada):
    group = EventGroup.objects.create(
        name="prices", label="Prices", event_types=["ORDER_*"], may_opt_out_of_piercing=True
    )
    PiercingOptOut.objects.create(user=ada, group=group)
    return group


def test_a_critical_event_that_does_not_pierce_is_held_and_no_alarm(
    quiet, prices, chat, mailbox, publish, desk, now
) -> None:
    publish(priority=Priority.CRITICAL)
    assert desk.delivery(Event.objects.get()).held_until == MORNING
    assert monitor.oldest_critical_s(now=now + timedelta(hours=4)) == 0
    assert monitor.oldest_critical_s(now=MORNING + timedelta(seconds=5)) == 5
    [due] = store.look_up([str(Delivery.objects.get().pk)], now=MORNING, max_tries=8)
    assert due.since == MORNING  # its patience with a channel begins now


def test_a_burst_is_throttled_and_critical_events_are_not(ada, chat, publish, now) -> None:
    Throttle.objects.create(user=ada, at_most=2, per_s=3600)
    codes = [publish(f"e{number}").code for number in range(4)]
    assert codes == ["", "", "throttled", "throttled"]
    assert publish("e1").duplicate
    assert publish("c1", priority=Priority.CRITICAL).code == ""
    event = Event.objects.get(event_id="e3")
    assert lines(event, "skipped")[1] == ("throttled", (now + timedelta(hours=1)).isoformat())


def test_a_release_is_throttled_too(quiet, ada, chat, publish, attempt, now, provider) -> None:
    fake = provider(Receipt("m1"), Receipt("m2"), Receipt("m3"))
    Throttle.objects.create(user=ada, at_most=1, per_s=3600)
    for number in range(3):
        publish(f"e{number}")
    for event in Event.objects.order_by("seq"):
        attempt(event, MORNING)
    assert len(fake.sent) == 1
    assert sorted(Event.objects.values_list("code", flat=True)) == ["", "throttled", "throttled"]
