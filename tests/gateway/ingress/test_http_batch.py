"""POST /events/batch: each event stands for itself."""

import json

import pytest
from django.utils import timezone

from gateway.codec import limits
from notifications.models import Event
from notifications.states import Channel
from proto.tocsin.v1 import user_events_pb2 as wire
from tests.gateway.good_events import event_json, event_message
from tests.gateway.other_ends import Producer
from users.models import Destination


@pytest.fixture(autouse=True)
def reachable(ann):
    return Destination.objects.create(
        user=ann, kind=Channel.EMAIL, address="ann@example.test", verified_at=timezone.now()
    )


def told(acks: list[dict]) -> list[tuple]:
    return [(ack["event_id"], ack["status"], ack["code"], ack["duplicate"]) for ack in acks]


def test_there_is_one_ack_for_each_event_in_order(producer: Producer) -> None:
    acks = producer.batch(
        event_json(event_id="one"),
        event_json(event_id="bad", user_id=...),
        "not an event",
        same := event_json(event_id="two"),
        same,
        same | {"payload": {}},
        event_json(event_id="nobody", user_id="carl"),
        event_json(event_id="live", delivery={"priority": "INFORMATIONAL"}),
        event_json(event_id="three"),
    )
    assert told(acks) == [
        ("one", "QUEUED", "", False),
        ("bad", "ACK_ERROR", "missing_field", False),
        ("", "ACK_ERROR", "not_an_object", False),
        ("two", "QUEUED", "", False),
        ("two", "QUEUED", "", True),
        ("two", "ACK_ERROR", "conflict", False),
        ("nobody", "ACK_ERROR", "unknown_user", False),
        ("live", "ACK_ERROR", "no_session", False),
        ("three", "QUEUED", "", False),
    ]
    assert [ack["seq"] for ack in acks if ack["status"] == "QUEUED"] == [1, 2, 2, 3]
    assert list(Event.objects.order_by("seq").values_list("event_id", flat=True)) == ["one", "two", "three"]


def test_a_protobuf_batch_is_answered_in_protobuf(producer: Producer) -> None:
    same = event_message(event_id="two")
    batch = wire.UserEventBatch(
        events=[event_message(event_id="one"), wire.UserEvent(event_id="bad"), same, same]
    )
    answer = producer.post_protobuf("/events/batch", batch.SerializeToString())
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/x-protobuf"
    acks = wire.EventAckBatch.FromString(answer.content).acks
    assert [(ack.event_id, ack.status, ack.code, ack.duplicate) for ack in acks] == [
        ("one", wire.QUEUED, "", False),
        ("bad", wire.ACK_ERROR, "missing_field", False),
        ("two", wire.QUEUED, "", False),
        ("two", wire.QUEUED, "", True),
    ]


def test_one_event_that_is_too_large_does_not_stop_the_others(producer: Producer) -> None:
    large = event_json(event_id="large", payload={"a": ["x" * 1_000] * 300})
    assert [ack["code"] for ack in producer.batch(event_json(), large, event_json())] == [
        "",
        "too_large",
        "",
    ]


def test_a_thousand_events_go_in_one_batch_and_not_one_more(producer: Producer) -> None:
    events = [event_json() for _ in range(1_000)]
    acks = producer.batch(*events)
    assert [ack["event_id"] for ack in acks] == [event["event_id"] for event in events]
    assert {ack["status"] for ack in acks} == {"QUEUED"}
    answer = producer.post("/events/batch", json={"events": [*events, event_json()]})
    assert answer.status_code == 413
    assert answer.json()["field"] == "events"
    assert Event.objects.count() == 1_000


def test_four_mebibytes_go_in_one_batch_and_not_one_more(producer: Producer) -> None:
    events = [event_json(payload={"a": ["x" * 1_000] * 190}) for _ in range(20)]
    body = json.dumps({"events": events}).encode()
    full = body + b" " * (limits.BATCH_BYTES - len(body))
    headers = {"Content-Type": "application/json"}
    answer = producer.post("/events/batch", content=full, headers=headers)
    assert answer.status_code == 200
    assert {ack["status"] for ack in answer.json()["acks"]} == {"QUEUED"}
    answer = producer.post("/events/batch", content=full + b" ", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize("body", [[], {}, {"events": {}}, {"events": None}, "x"])
def test_a_batch_is_an_object_with_a_list(producer: Producer, body: object) -> None:
    answer = producer.post("/events/batch", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "not_an_object")


def test_bytes_that_are_no_batch_are_refused_in_protobuf(producer: Producer) -> None:
    answer = producer.post_protobuf("/events/batch", b"\xff\xff")
    assert answer.status_code == 422
    assert wire.EventAck.FromString(answer.content).code == "invalid_protobuf"


def test_an_empty_batch_is_answered_with_no_acks(producer: Producer) -> None:
    assert producer.batch() == []
    answer = producer.post_protobuf("/events/batch", b"")
    assert (answer.status_code, answer.content) == (200, b"")
