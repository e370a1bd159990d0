"""POST /events against a real Daphne: every status, with a problem document that says what to do."""

import json
import threading
import time

import httpx
import pytest
from django.utils import timezone

from gateway.codec import limits
from notifications import acks
from notifications.live import pubsub
from notifications.models import Event
from notifications.states import Channel
from proto.tocsin.v1 import user_events_pb2 as wire
from tests.gateway.good_events import event_json, event_message
from tests.gateway.other_ends import Producer
from tests.gateway.servers import Server
from tests.kit.eventually import eventually
from users import keys
from users.models import Destination


@pytest.fixture
def reachable(ann):
    return Destination.objects.create(
        user=ann, kind=Channel.EMAIL, address="ann@example.test", verified_at=timezone.now()
    )


def problem_of(answer: httpx.Response) -> dict:
    """The problem document of a refusal, checked for what every one of them has."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["type"] == f"urn:tocsin:problem:{problem['code']}"
    assert problem["title"]
    assert problem["detail"]
    return problem


def test_an_event_is_accepted_and_known_the_second_time(producer: Producer, reachable) -> None:
    event = event_json()
    first, second = producer.post("/events", json=event), producer.post("/events", json=event)
    assert (first.status_code, second.status_code) == (202, 200)
    ack, again = first.json(), second.json()
    assert (ack["status"], ack["final"], ack["duplicate"], ack["seq"]) == ("QUEUED", False, False, 1)
    assert (again["status"], again["duplicate"], again["seq"]) == ("QUEUED", True, 1)
    assert Event.objects.count() == 1


def test_other_content_under_the_same_id_is_a_conflict_and_nothing_is_sent(
    producer: Producer, reachable, ann, valkey
) -> None:
    with valkey.pubsub(ignore_subscribe_messages=True) as heard:
        heard.subscribe(pubsub.user_channel(ann.pk))
        heard.get_message(timeout=5)
        event = event_json()
        producer.post("/events", json=event)
        answer = producer.post("/events", json=event | {"payload": {"symbol": "ETH/USDT"}})
        assert answer.status_code == 409
        assert problem_of(answer)["event_id"] == event["event_id"]
        assert Event.objects.get().payload == event["payload"]
        pubsub.push([(ann.pk, b"end")])
        heard_frames = []
        while (frame := heard.get_message(timeout=5))["data"] != b"end":
            heard_frames.append(json.loads(frame["data"]))
    assert [frame["payload"] for frame in heard_frames] == [event["payload"]]


def test_an_event_for_whom_no_channel_is_usable_has_ended(producer: Producer) -> None:
    answer = producer.publish()
    assert answer.status_code == 200
    ack = answer.json()
    assert (ack["status"], ack["final"], ack["code"]) == ("ACK_ERROR", True, "no_channel")


def test_an_informational_event_that_nobody_sees_is_not_kept(producer: Producer) -> None:
    answer = producer.publish(delivery={"priority": "INFORMATIONAL"})
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["code"]) == ("ACK_ERROR", "no_session")
    assert not Event.objects.exists()


REFUSED = {
    "malformed": ({"event_id": ""}, 422, "missing_field", "event_id"),
    "nobody has the id": ({"user_id": "carl"}, 422, "unknown_user", "user_id"),
    "far ahead": (
        {"timestamp": int(time.time() + 3_600) * 1000},
        422,
        "timestamp_in_future",
        "timestamp",
    ),
    "over": ({"expires_at": 1_734_533_790_000}, 422, "expired", "expires_at"),
    "a topic": ({"user_id": ..., "topic": "market.BTC"}, 403, "forbidden_topic", "topic"),
    "a type it may not send": ({"event_type": "RISK_ALERT"}, 403, "forbidden_type", "event_type"),
    "a priority it may not use": (
        {"delivery": {"priority": "CRITICAL"}},
        403,
        "forbidden_priority",
        "delivery.priority",
    ),
}


def test_refusals_name_the_code_and_the_field(producer: Producer, venue) -> None:
    venue.event_types, venue.max_priority = ["ORDER_FILLED"], 1
    venue.save()
    for name, (changes, status, code, field) in REFUSED.items():
        event = event_json(**changes)
        answer = producer.post("/events", json=event)
        problem = problem_of(answer)
        told = (answer.status_code, problem["code"], problem["field"], problem.get("event_id", ""))
        assert told == (status, code, field, event["event_id"]), name
        if name not in {"malformed"}:
            message = event_message(**changes)
            assert producer.publish_message(message)[0] == status, name
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b'"\xff"', "invalid_json"),
        (b'{"payload": NaN}', "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
        (b"[]", "not_an_object"),
    ],
)
def test_bodies_that_are_no_event(producer: Producer, body: bytes, code: str) -> None:
    answer = producer.post("/events", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert problem_of(answer)["code"] == code


def test_a_large_body_is_refused(producer: Producer) -> None:
    body = json.dumps(event_json(payload={"a": ["x" * 1_000] * 300})).encode()
    answer = producer.post("/events", content=body, headers={"Content-Type": "application/json"})
    assert len(body) > limits.EVENT_BYTES
    assert answer.status_code == 413
    assert problem_of(answer)["code"] == "too_large"


def test_a_large_body_without_a_length_is_refused(producer: Producer) -> None:
    chunks = (b" " * 64 * 1024 for _ in range(5))
    answer = producer.post("/events", content=chunks, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", ""])
def test_other_media_types_are_refused(producer: Producer, kind: str) -> None:
    answer = producer.post("/events", content=b"{}", headers={"Content-Type": kind})
    assert answer.status_code == 415
    assert "application/x-protobuf" in problem_of(answer)["detail"]


def test_protobuf_in_is_protobuf_out(producer: Producer, reachable) -> None:
    message = event_message()
    status, ack = producer.publish_message(message)
    assert status == 202
    assert (ack.event_id, ack.status, ack.final, ack.seq) == (message.event_id, wire.QUEUED, False, 1)
    assert abs(ack.at - time.time() * 1000) < 60_000

    status, ack = producer.publish_message(message)
    assert (status, ack.status, ack.duplicate) == (200, wire.QUEUED, True)

    message.payload = b"{}"
    status, ack = producer.publish_message(message)
    assert (status, ack.status, ack.final, ack.code) == (409, wire.ACK_ERROR, True, "conflict")

    status, ack = producer.publish_message(event_message(timestamp=0))
    assert (status, ack.status, ack.code) == (422, wire.ACK_ERROR, "missing_field")
    assert ack.error_message.startswith("timestamp: ")

    answer = producer.post_protobuf("/events", b"\xff")
    assert answer.status_code == 422
    assert wire.EventAck.FromString(answer.content).code == "invalid_protobuf"

    answer = producer.post_protobuf("/events", b"\0" * (limits.EVENT_BYTES + 1))
    assert answer.status_code == 413
    assert wire.EventAck.FromString(answer.content).status == wire.ACK_ERROR


def test_the_same_event_in_the_other_encoding_is_a_duplicate(producer: Producer, reachable) -> None:
    event = event_json()
    producer.post("/events", json=event)
    assert producer.publish_message(event_message(**event))[1].duplicate


def test_two_sources_may_use_the_same_id(producer: Producer, daphne: Server, reachable) -> None:
    from users.models import Source

    other = Source.objects.create(name="other")
    event = event_json()
    with Producer(daphne, keys.issue(other, ["publish"])) as client:
        statuses = [caller.post("/events", json=event).status_code for caller in (producer, client)]
    assert statuses == [202, 202]


def test_who_may_not_call(producer: Producer, daphne: Server, venue) -> None:
    good = keys.issue(venue, ["publish"])
    expired = keys.issue(venue, ["publish"], expires_at=timezone.now())
    headers = {
        "missing_key": [None],
        "invalid_key": [
            "Bearer",
            "Bearer tsn_aaaaaaaaaa_" + "a" * 43,
            f"Bearer {good[:-1]}{'A' if good[-1] != 'A' else 'B'}",
            f"Bearer {good}x",
            f"Basic {good}",
            f"Bearer {expired}",
        ],
        "missing_scope": [f"Bearer {keys.issue(venue, ['read', 'admin'])}"],
    }
    for code, given in headers.items():
        for value in given:
            with httpx.Client(base_url=daphne.url, trust_env=False) as client:
                auth = {"Authorization": value} if value else {}
                answer = client.post("/api/v1/events", json=event_json(), headers=auth)
            problem = problem_of(answer)
            assert problem["code"] == code, value
            assert answer.status_code == (403 if code == "missing_scope" else 401)
            assert ("WWW-Authenticate" in answer.headers) == (answer.status_code == 401)
    assert not Event.objects.exists()


def test_a_key_ends_with_its_revocation_and_with_its_source(producer: Producer, venue) -> None:
    assert producer.publish().status_code == 200
    venue.enabled = False
    venue.save()
    assert producer.publish().status_code == 401
    venue.enabled = True
    venue.save()
    assert producer.publish().status_code == 200
    venue.api_keys.update(revoked_at=timezone.now())
    assert producer.publish().status_code == 401


def test_waiting_returns_when_the_event_has_ended(producer: Producer, reachable, ann) -> None:
    event = event_json()
    answers: list[httpx.Response] = []
    waiting = threading.Thread(target=lambda: answers.append(producer.publish(wait=30, **event)))
    waiting.start()
    eventually(Event.objects.filter(event_id=event["event_id"]).exists)
    began = time.monotonic()
    finals = acks.confirm([(ann.pk, event["event_id"])], now=timezone.now()).finals
    pubsub.announce_finals(finals, replies=False)
    waiting.join(20)
    assert time.monotonic() - began < 15
    ack = answers[0].json()
    assert answers[0].status_code == 200
    assert (ack["status"], ack["final"], ack["evidence"]) == ("DELIVERED", True, "CLIENT")
    assert ack["delivered_via"] == "WEB"


def test_waiting_ends_with_its_time(producer: Producer, reachable) -> None:
    began = time.monotonic()
    answer = producer.publish(wait=0.3)
    assert time.monotonic() - began >= 0.3
    assert answer.status_code == 202
    assert (answer.json()["status"], answer.json()["final"]) == ("QUEUED", False)


@pytest.mark.parametrize("wait", ["-1", "soon", "nan"])
def test_a_wait_that_is_no_time_is_refused(producer: Producer, wait: str) -> None:
    answer = producer.post("/events", json=event_json(), params={"wait": wait})
    assert answer.status_code == 422
    assert problem_of(answer)["field"] == "wait"
    assert not Event.objects.exists()
