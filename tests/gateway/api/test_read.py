"""GET /events/{id} and the inbox: what happened, to whom it may be told."""

from urllib.parse import quote

import pytest
from django.utils import timezone

from notifications import acks
from notifications.states import Channel
from tests.gateway.good_events import event_json
from tests.gateway.other_ends import Producer
from tests.gateway.servers import Server
from tests.kit.sign_in import cookie_of as cookie
from users import keys
from users.models import Destination, Source


@pytest.fixture
def reachable(ann):
    return Destination.objects.create(
        user=ann, kind=Channel.EMAIL, address="ann@example.test", verified_at=timezone.now()
    )


def test_an_event_comes_with_its_whole_story(producer: Producer, reachable, ann) -> None:
    event = event_json(metadata={"region": "eu"}, correlation_id="c-1")
    producer.post("/events", json=event)
    story = producer.get(f"/events/{event['event_id']}").json()
    for name in ("event_id", "user_id", "event_type", "timestamp", "payload", "metadata", "correlation_id"):
        assert story[name] == event[name]
    assert story["priority"] == "NORMAL"
    assert (story["ack"]["status"], story["ack"]["final"]) == ("QUEUED", False)
    assert story["plan"] == [{"channel": "EMAIL", "destination_id": reachable.pk}]
    assert [(line["channel"], line["verdict"], line["reason"]) for line in story["trace"]] == [
        ("WEB", "skipped", "no_session"),
        ("TELEGRAM", "skipped", "no_destination"),
        ("EMAIL", "chosen", "usable"),
    ]
    assert [(row["channel"], row["state"], row["attempts"]) for row in story["deliveries"]] == [
        ("EMAIL", "pending", [])
    ]
    assert [step["kind"] for step in story["timeline"]] == ["accepted", "skipped", "skipped", "routed"]

    acks.confirm([(ann.pk, event["event_id"])], now=timezone.now())
    story = producer.get(f"/events/{event['event_id']}").json()
    assert (story["ack"]["status"], story["ack"]["evidence"]) == ("DELIVERED", "CLIENT")
    assert story["timeline"][-1]["kind"] == "final"
    assert "ann@example.test" not in str(story)


@pytest.mark.parametrize("event_id", ["a/b", "große order", "50%", "a?b#c", "a//b/"])
def test_whatever_id_was_accepted_can_be_asked_for(producer: Producer, event_id: str) -> None:
    assert producer.publish(event_id=event_id).status_code == 200
    answer = producer.get(f"/events/{quote(event_id, safe='')}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["event_id"] == event_id


@pytest.mark.parametrize("event_id", ["unknown", "a%00b", "%ff"])
def test_an_unknown_id_is_not_found(producer: Producer, event_id: str) -> None:
    answer = producer.get(f"/events/{event_id}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_another_sources_event_is_not_found(producer: Producer, daphne: Server) -> None:
    event_id = producer.publish().json()["event_id"]
    other = Source.objects.create(name="other")
    with Producer(daphne, keys.issue(other, ["read"])) as client:
        assert client.get(f"/events/{event_id}").status_code == 404
    assert producer.get(f"/events/{event_id}").status_code == 200


def test_reading_needs_its_scope(producer: Producer, daphne: Server, venue) -> None:
    event_id = producer.publish().json()["event_id"]
    with Producer(daphne, keys.issue(venue, ["publish"])) as client:
        answer = client.get(f"/events/{event_id}")
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


def test_a_wait_on_an_event_that_has_ended_returns_at_once(producer: Producer) -> None:
    event_id = producer.publish().json()["event_id"]
    answer = producer.get(f"/events/{event_id}", params={"wait": 30}, timeout=10)
    assert answer.json()["ack"]["final"]


def test_people_read_their_own_inbox_and_nobody_elses(producer: Producer, daphne, ann, bob) -> None:
    ids = [producer.publish().json()["event_id"] for _ in range(3)]
    mine, others = {"Cookie": cookie(ann)}, {"Cookie": cookie(bob)}
    inbox = producer.get("/users/me/inbox", headers=mine, params={"limit": 2}).json()
    assert [item["event_id"] for item in inbox["items"]] == ids[:0:-1]
    assert (inbox["unread"], inbox["seq"], inbox["next_before"]) == (3, 3, 2)
    rest = producer.get("/users/ann/inbox", headers=mine, params={"before": 2}).json()
    assert [item["event_id"] for item in rest["items"]] == ids[:1]
    assert rest["next_before"] is None
    assert producer.get("/users/me/inbox", headers=others).json()["items"] == []
    assert producer.get("/users/ann/inbox", headers=others).status_code == 404
    assert producer.get("/users/me/inbox").status_code == 401


@pytest.mark.parametrize(
    ("params", "field"), [({"limit": 0}, "limit"), ({"limit": 201}, "limit"), ({"before": "x"}, "before")]
)
def test_inbox_parameters_out_of_range_are_named(producer: Producer, ann, params: dict, field: str) -> None:
    answer = producer.get("/users/me/inbox", headers={"Cookie": cookie(ann)}, params=params)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_a_position_beyond_any_sequence_is_no_error(producer: Producer, ann) -> None:
    answer = producer.get("/users/me/inbox", headers={"Cookie": cookie(ann)}, params={"before": 10**30})
    assert answer.status_code == 200
