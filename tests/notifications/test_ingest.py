"""The one call of every ingress: takes a batch of envelopes, returns one ack for each."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import DataError

from notifications import dispatch
from notifications.events import Plan, Planned, PlanStep, Recipient
from notifications.ingest import ingest
from notifications.live.push import push_accepted
from notifications.models import Delivery, Event
from notifications.states import Channel, Priority
from notifications.store import accept

INFO, NORMAL, CRITICAL = Priority.INFORMATIONAL, Priority.NORMAL, Priority.CRITICAL


@pytest.fixture(autouse=True)
def quiet(doorbells):
    """Remove the doorbells that these tests ring."""


def ms(at) -> int:
    return round(at.timestamp() * 1000)


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        (lambda e, now: replace(e, user_id="nobody"), "unknown_user", "user_id"),
        (lambda e, now: replace(e, topic="btc", user_id=""), "forbidden_topic", "topic"),
        (
            lambda e, now: replace(e, source=replace(e.source, event_types=frozenset({"RISK_ALERT"}))),
            "forbidden_type",
            "event_type",
        ),
        (
            lambda e, now: replace(e, priority=CRITICAL, source=replace(e.source, max_priority=NORMAL)),
            "forbidden_priority",
            "delivery.priority",
        ),
        (
            lambda e, now: replace(e, timestamp_ms=ms(now + timedelta(seconds=301))),
            "timestamp_in_future",
            "timestamp",
        ),
        (lambda e, now: replace(e, expires_at_ms=ms(now)), "expired", "expires_at"),
    ],
)
def test_an_invalid_event_is_rejected_with_a_code_and_a_field(
    desk, ada, open_page, doorbells, now, change, code, field
) -> None:
    page = open_page(ada)
    [ack] = ingest([change(desk.envelope(ada), now)], now=now)
    assert (ack.status, ack.final, ack.code, ack.field) == ("ACK_ERROR", True, code, field)
    assert (ack.event_id, ack.at, bool(ack.detail), ack.seq) == ("e1", now, True, 0)
    assert not Event.objects.exists()
    assert (page.frames(), doorbells.take()) == ([], [])


@pytest.mark.parametrize(
    "change",
    [
        lambda e, now: replace(e, source=replace(e.source, event_types=frozenset({"ORDER_FILLED"}))),
        lambda e, now: replace(e, source=replace(e.source, max_priority=NORMAL)),
        lambda e, now: replace(e, timestamp_ms=ms(now + timedelta(seconds=300))),
        lambda e, now: replace(e, expires_at_ms=ms(now) + 1),
    ],
)
def test_an_event_at_the_edge_of_a_limit_is_accepted(desk, ada, chat, now, change) -> None:
    [ack] = ingest([change(desk.envelope(ada), now)], now=now)
    assert (ack.status, ack.final, ack.seq) == ("QUEUED", False, 1)


def test_a_deactivated_user_is_unknown(desk, ada, now) -> None:
    ada.is_active = False
    ada.save()
    assert ingest([desk.envelope(ada)], now=now)[0].code == "unknown_user"


def test_a_mixed_batch_is_answered_in_its_order(desk, ada, chat, open_page, now) -> None:
    open_page(ada)
    batch = [
        desk.envelope(ada, "normal"),
        desk.envelope("nobody", "refused"),
        desk.envelope(ada, "info", priority=INFO),
        desk.envelope(ada, "critical", priority=CRITICAL),
        desk.envelope(ada, "normal"),
        desk.envelope(ada, "normal", payload={"other": 1}),
    ]
    acks = ingest(batch, now=now)
    assert [(ack.event_id, ack.status, ack.code, ack.duplicate) for ack in acks] == [
        ("normal", "QUEUED", "", False),
        ("refused", "ACK_ERROR", "unknown_user", False),
        ("info", "DELIVERED", "", False),
        ("critical", "QUEUED", "", False),
        ("normal", "QUEUED", "", True),
        ("normal", "ACK_ERROR", "conflict", False),
    ]
    assert [ack.seq for ack in acks] == [1, 0, 0, 2, 1, 0]


def test_an_empty_batch_has_no_acks(db, now) -> None:
    assert ingest([], now=now) == []


def test_an_informational_event_goes_to_an_open_page_and_is_not_stored(desk, ada, open_page, now) -> None:
    page = open_page(ada)
    [ack] = ingest([desk.envelope(ada, priority=INFO)], now=now)
    assert (ack.status, ack.final, ack.delivered_via, ack.evidence) == (
        "DELIVERED",
        True,
        Channel.WEB,
        "transport",
    )
    [frame] = page.frames()
    assert (frame["type"], frame["event_id"], frame["priority"]) == ("event", "e1", "INFORMATIONAL")
    assert not {"seq", "ack_by"} & set(frame)
    assert not Event.objects.exists()


def test_an_informational_event_without_an_open_page_is_dropped(desk, ada, chat, doorbells, now) -> None:
    [ack] = ingest([desk.envelope(ada, priority=INFO)], now=now)
    assert (ack.status, ack.final, ack.code) == ("ACK_ERROR", True, "no_session")
    assert (Event.objects.count(), doorbells.take()) == (0, [])


def test_an_informational_event_is_not_sent_if_the_rest_of_its_batch_cannot_be_stored(
    desk, ada, open_page, now
) -> None:
    page = open_page(ada)
    refused_by_postgres = desk.envelope(ada, "bad", metadata={"a": "\0"})
    with pytest.raises(DataError):
        ingest([desk.envelope(ada, priority=INFO), refused_by_postgres], now=now)
    assert page.frames() == []  # the producer will send the batch again


@pytest.mark.parametrize("priority", [NORMAL, CRITICAL])
def test_an_open_page_gets_the_frame_with_seq_and_deadline(
    desk, ada, chat, open_page, doorbells, now, priority
) -> None:
    page = open_page(ada)
    [ack] = ingest([desk.envelope(ada, priority=priority, ack_timeout_ms=7000)], now=now)
    [frame] = page.frames()
    assert (ack.status, ack.final, ack.seq) == ("QUEUED", False, 1)
    assert (frame["seq"], frame["ack_by"]) == (1, ms(now) + 7000)
    assert (frame["event_type"], frame["payload"]) == ("ORDER_FILLED", {"symbol": "BTC/USDT"})
    assert frame["title"]
    row = Delivery.objects.get()
    assert (row.channel, row.state, row.ack_deadline) == (Channel.WEB, "sent", now + timedelta(seconds=7))
    assert doorbells.take() == []


def test_an_event_for_another_channel_is_shown_on_the_page_without_a_deadline(
    desk, ada, chat, open_page, doorbells, choose, now
) -> None:
    page = open_page(ada)
    ingest([desk.envelope(ada, channels=choose(Channel.TELEGRAM))], now=now)
    [frame] = page.frames()
    assert (frame["seq"], "ack_by" in frame) == (1, False)
    assert doorbells.take() == [("normal", "tocsin.deliver", str(Delivery.objects.get().pk))]


def test_a_duplicate_is_not_pushed_and_not_rung_again(desk, ada, chat, open_page, doorbells, now) -> None:
    ingest([desk.envelope(ada)], now=now)
    assert len(doorbells.take()) == 1
    page = open_page(ada)
    [ack] = ingest([desk.envelope(ada)], now=now)
    assert (ack.status, ack.duplicate) == ("QUEUED", True)
    assert (page.frames(), doorbells.take()) == ([], [])


def test_without_an_open_page_the_next_channel_rings(desk, ada, chat, doorbells, now) -> None:
    ingest([desk.envelope(ada, "a", priority=CRITICAL), desk.envelope(ada, "b")], now=now)
    rows = {row.event.event_id: str(row.pk) for row in Delivery.objects.select_related("event")}
    assert doorbells.take() == [
        ("critical", "tocsin.deliver", rows["a"]),
        ("normal", "tocsin.deliver", rows["b"]),
    ]


def test_an_event_without_a_channel_is_a_dead_letter_that_stays_in_the_inbox(desk, ada, now) -> None:
    [ack] = ingest([desk.envelope(ada, priority=CRITICAL)], now=now)
    assert (ack.status, ack.final, ack.code, ack.seq) == ("ACK_ERROR", True, "no_channel", 1)
    event = Event.objects.get()
    assert [line["reason"] for line in event.trace] == ["no_session", "no_destination", "no_destination"]


def test_a_page_that_closes_before_its_push_is_skipped(desk, ada, chat, doorbells, now) -> None:
    plan = Plan((PlanStep(Channel.WEB), PlanStep(Channel.TELEGRAM, chat.pk)))
    item = replace(desk.acceptance(ada, "e1", priority=CRITICAL), plan=plan)
    [stored] = accept([item], now=now)
    planned = Planned(item.envelope, Recipient(ada.pk, "ada"), True, plan)
    dispatch.run_effects_later(push_accepted([(planned, stored)], now))
    first, second = Delivery.objects.order_by("position")
    assert (first.state, first.error, second.state) == ("skipped", "no_session", "pending")
    assert doorbells.take() == [("critical", "tocsin.deliver", str(second.pk))]


def test_without_redis_everything_goes_to_the_other_channels(
    desk, ada, chat, redis_away, doorbells, now
) -> None:
    acks = ingest([desk.envelope(ada, "a"), desk.envelope(ada, "b", priority=INFO)], now=now)
    assert [(ack.status, ack.code) for ack in acks] == [("QUEUED", ""), ("ACK_ERROR", "no_session")]
    assert Delivery.objects.get().channel == Channel.TELEGRAM
    assert len(doorbells.take()) == 1


@pytest.mark.parametrize(("priority", "hours"), [(NORMAL, 24), (CRITICAL, 72)])
def test_an_event_without_an_expiry_expires_by_its_priority(desk, ada, chat, now, priority, hours) -> None:
    ingest([desk.envelope(ada, priority=priority)], now=now)
    assert Event.objects.get().expires_at == now + timedelta(hours=hours)


def test_the_producers_expiry_applies(desk, ada, chat, now) -> None:
    ingest([desk.envelope(ada, expires_at_ms=ms(now) + 1500)], now=now)
    assert Event.objects.get().expires_at == now + timedelta(milliseconds=1500)
