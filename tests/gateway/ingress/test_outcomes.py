"""What became of each channel: in the ack of an event that fails at once, and in that of every duplicate."""

import pytest
from django.utils import timezone

from gateway.ingress.replies import send_due
from notifications import acks
from notifications.models import Event
from notifications.states import Channel
from proto.tocsin.v1 import user_events_pb2 as wire
from tests.gateway.good_events import event_json, event_message
from tests.gateway.other_ends import Producer, Stream


@pytest.fixture
def chat(ann):
    return ann.destinations.create(kind=Channel.TELEGRAM.value, address="1", verified_at=timezone.now())


def in_json(ack: dict) -> list[tuple[str, str]]:
    return [(item["channel"], item["state"]) for item in ack["outcomes"]]


def in_protobuf(ack: wire.EventAck) -> list[tuple[str, str]]:
    return [(wire.ChannelType.Name(item.channel), item.state) for item in ack.outcomes]


SKIPPED = [("WEB", "skipped"), ("TELEGRAM", "skipped"), ("EMAIL", "skipped")]


def test_an_event_without_a_channel_says_why_at_once_and_again(producer: Producer) -> None:
    event = event_json()
    for _ in range(2):
        ack = producer.post("/events", json=event).json()
        assert (ack["status"], ack["final"], ack["code"]) == ("ACK_ERROR", True, "no_channel")
        assert set(in_json(ack)) == set(SKIPPED)
        assert all(item["reason"] for item in ack["outcomes"])
    assert ack["duplicate"]
    assert ack == producer.get(f"/events/{event['event_id']}").json()["ack"] | {"duplicate": True}


def test_protobuf_and_batches_say_the_same(producer: Producer) -> None:
    message = event_message()
    for _ in range(2):
        assert set(in_protobuf(producer.publish_message(message)[1])) == set(SKIPPED)
    event = event_json()
    for ack in producer.batch(event, event) + producer.batch(event):
        assert set(in_json(ack)) == set(SKIPPED)


def test_the_acks_of_a_stream_say_the_same(stream: Stream, ann) -> None:
    for _ in range(2):
        stream.add(event_id="e-1", timestamp=1_790_000_000_000)
        stream.drain()
        send_due(stream.client, clock=timezone.now)  # the one final ack
    assert [set(in_protobuf(ack)) for ack in stream.acks()] == [set(SKIPPED)] * 2
    assert [ack.duplicate for ack in stream.acks()] == [False, True]


def test_an_event_under_way_says_what_is_tried_first_from_its_first_ack_on(producer: Producer, chat) -> None:
    event = event_json()
    first, again = producer.post("/events", json=event).json(), producer.post("/events", json=event).json()
    assert in_json(first) == [("WEB", "skipped"), ("TELEGRAM", "pending"), ("EMAIL", "skipped")]
    assert first["outcomes"] == again["outcomes"]
    assert first["outcomes"] == producer.get(f"/events/{event['event_id']}").json()["ack"]["outcomes"]


def test_an_informational_event_says_where_it_went(producer: Producer, open_page, ann) -> None:
    event = event_json(delivery={"priority": "INFORMATIONAL"})
    assert in_json(producer.post("/events", json=event).json())[0] == ("WEB", "skipped")
    open_page(ann)
    assert in_json(producer.post("/events", json=event).json())[0] == ("WEB", "sent")


def test_a_duplicate_of_a_delivered_event_says_where_it_was_delivered(
    producer: Producer, open_page, ann, chat
) -> None:
    page = open_page(ann)
    event = event_json(delivery={"priority": "CRITICAL"}, ack_timeout_ms=60_000)
    producer.post("/events", json=event)
    page.receive()
    acks.confirm([(ann.pk, event["event_id"])], now=timezone.now())
    ack = producer.post("/events", json=event).json()
    assert (ack["status"], ack["delivered_via"], ack["evidence"]) == ("DELIVERED", "WEB", "CLIENT")
    assert ack["duplicate"]
    assert ("WEB", "confirmed") in in_json(ack)


def test_a_live_event_for_somebody_away_says_why_not(producer: Producer, ann) -> None:
    ack = producer.publish(delivery={"priority": "INFORMATIONAL"}).json()
    assert (ack["code"], in_json(ack)) == ("no_session", SKIPPED)
    assert not Event.objects.exists()
