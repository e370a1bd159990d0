"""GET /events and POST /events/replay: a source's own events, found and sent once more."""

import time
import uuid

import pytest
from django.test import Client
from django.utils import timezone

from gateway.auth.bearer import grant_of
from gateway.codec import events
from notifications.ingest import ingest
from notifications.models import Delivery, Event, Replay
from users import keys
from users.models import Destination, Source, User


class Caller:
    """A source with a key, on the API in this process."""

    def __init__(self, name: str, *scopes: str) -> None:
        self.source, _ = Source.objects.get_or_create(name=name)
        key = keys.issue(self.source, list(scopes or ("publish", "read", "replay")))
        self._client = Client(headers={"Authorization": f"Bearer {key}"})

    def get(self, path: str, **parameters):
        return self._client.get(f"/api/v1{path}", parameters)

    def post(self, path: str, body):
        return self._client.post(f"/api/v1{path}", body, content_type="application/json")

    def publish(self, **changes) -> str:
        """Publish an event that nobody can receive: it fails at once."""
        event = {
            "event_id": f"e-{uuid.uuid4()}",
            "user_id": "carl",
            "timestamp": int(time.time() * 1000),
            "event_type": "ORDER_FILLED",
            "payload": {},
            "delivery": {"priority": "CRITICAL"},
        } | changes
        [ack] = ingest([events.from_json(event, grant_of(self.source))], now=timezone.now())
        assert ack.pk
        return event["event_id"]


@pytest.fixture
def carl(db) -> User:
    return User.objects.create_user("carl", external_id="carl")


@pytest.fixture
def desk_source(carl) -> Caller:
    return Caller("desk")


@pytest.fixture
def reachable(carl):
    """Let Carl be reached from now on."""

    def mend() -> None:
        Destination.objects.create(user=carl, kind=3, address="carl@example.org", verified_at=timezone.now())

    return mend


def ids(answer) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [event["event_id"] for event in answer.json()["events"]]


def test_the_latest_events_come_first_in_pages(desk_source) -> None:
    sent = [desk_source.publish() for _ in range(5)]
    first = desk_source.get("/events", limit=3)
    assert ids(first) == sent[:1:-1]
    second = desk_source.get("/events", limit=3, cursor=first.json()["next_cursor"])
    assert (ids(second), second.json()["next_cursor"]) == (sent[1::-1], None)


def test_a_line_says_what_became_of_the_event(desk_source) -> None:
    event_id = desk_source.publish()
    [line] = desk_source.get("/events").json()["events"]
    assert line["event_id"] == event_id
    assert (line["user_id"], line["seq"], line["event_type"]) == ("carl", 1, "ORDER_FILLED")
    assert (line["priority"], line["state"], line["code"]) == ("CRITICAL", "failed", "no_channel")
    assert (line["delivered_via"], line["replay_id"], line["replay_count"]) == (None, None, 0)
    assert line["accepted_at"] == line["final_at"]


@pytest.mark.parametrize(
    ("parameters", "count"),
    [
        ({"user": "carl"}, 2),
        ({"user": "dora"}, 0),
        ({"type": "ORDER_FILLED"}, 1),
        ({"type": "custom.thing"}, 1),
        ({"priority": "CRITICAL"}, 1),
        ({"state": "failed"}, 2),
        ({"state": "delivered"}, 0),
        ({"from": 0}, 2),
        ({"to": 0}, 0),
        ({"from": 1, "to": 253402300799999, "state": "failed", "priority": "NORMAL"}, 1),
    ],
)
def test_filters_narrow(desk_source, parameters, count) -> None:
    desk_source.publish()
    desk_source.publish(
        event_type=None, type_name="custom.thing", delivery={"priority": "NORMAL"}, event_id="other"
    )
    assert len(ids(desk_source.get("/events", **parameters))) == count


def test_other_sources_see_and_replay_nothing(desk_source, reachable) -> None:
    event_id = desk_source.publish()
    reachable()
    other = Caller("other")
    assert ids(other.get("/events")) == []
    assert other.post("/events/replay", {"event_ids": [event_id]}).json()["skipped"] == {"not_found": 1}
    assert other.post("/events/replay", {"filter": {}}).json()["count"] == 0
    assert Delivery.objects.count() == 0


@pytest.mark.parametrize(
    ("parameters", "code", "field"),
    [
        ({"state": "lost"}, "unknown_value", "state"),
        ({"priority": "HIGH"}, "unknown_value", "priority"),
        ({"from": "yesterday"}, "not_an_integer", "from"),
        ({"to": "9" * 30}, "out_of_range", "to"),
        ({"user": "a\0b"}, "invalid_text", "user"),
        ({"person": "carl"}, "unknown_field", "person"),
        ({"limit": 0}, "invalid_parameter", "limit"),
        ({"cursor": "x"}, "invalid_parameter", "cursor"),
        ({"cursor": 10**30}, "invalid_parameter", "cursor"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused(desk_source, parameters, code, field) -> None:
    answer = desk_source.get("/events", **parameters)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.json()["code"], answer.json()["field"]) == (code, field)


def test_a_dead_letter_is_sent_once_the_person_can_be_reached(desk_source, reachable) -> None:
    event_id = desk_source.publish()
    body = {"event_ids": [event_id]}
    assert desk_source.post("/events/replay", body).json()["skipped"] == {"no_channel": 1}
    reachable()
    answer = desk_source.post("/events/replay", body)
    assert answer.status_code == 202
    told = answer.json()
    assert (told["count"], told["skipped"], told["remaining"], told["dry_run"]) == (1, {}, 0, False)
    story = desk_source.get(f"/events/{event_id}").json()
    assert (story["replay_id"], story["replay_count"]) == (told["replay_id"], 1)
    assert (story["ack"]["status"], story["ack"]["final"], story["ack"]["seq"]) == ("QUEUED", False, 1)
    [end] = story["history"]
    assert (end["state"], end["code"], end["replay_id"]) == ("failed", "no_channel", told["replay_id"])
    assert [step["kind"] for step in story["timeline"] if step["kind"] in {"final", "replayed"}] == [
        "final",
        "replayed",
    ]
    row = Replay.objects.get(pk=told["replay_id"])
    assert row.surface == "api"
    assert row.who.startswith("desk tsn_")


def test_a_second_replay_sends_nothing(desk_source, reachable) -> None:
    event_id = desk_source.publish()
    reachable()
    body = {"event_ids": [event_id, event_id], "force": True}
    assert desk_source.post("/events/replay", body).json()["count"] == 1
    assert desk_source.post("/events/replay", body).json()["skipped"] == {"running": 1}
    Event.objects.update(state="delivered", delivered_via=3, final_at=timezone.now())
    unforced = desk_source.post("/events/replay", body | {"force": False}).json()
    assert (unforced["count"], unforced["skipped"]) == (0, {"delivered": 1})
    assert Delivery.objects.count() == 1
    assert desk_source.post("/events/replay", body).json()["count"] == 1
    assert Delivery.objects.get(replay=2).possible_duplicate


def test_a_dry_run_counts_and_leaves_no_row(desk_source, reachable) -> None:
    desk_source.publish()
    reachable()
    answer = desk_source.post("/events/replay", {"filter": {"priority": "CRITICAL"}, "dry_run": True})
    assert answer.status_code == 200
    assert answer.json() == {"dry_run": True, "count": 1, "skipped": {}}
    assert Replay.objects.count() == 0


def test_a_limit_leaves_the_rest_for_the_next_call(desk_source, reachable) -> None:
    for _ in range(3):
        desk_source.publish()
    reachable()
    body = {"filter": {}, "limit": 2}
    first, second = (desk_source.post("/events/replay", body).json() for _ in range(2))
    assert [(told["count"], told["remaining"]) for told in (first, second)] == [(2, 1), (1, 0)]


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "missing_field", "filter"),
        ({"filter": {}, "event_ids": ["a"]}, "missing_field", "filter"),
        ({"filter": {}, "forced": True}, "unknown_field", "forced"),
        ({"filter": {"users": "a"}}, "unknown_field", "filter.users"),
        ({"filter": []}, "not_an_object", "filter"),
        ({"filter": {"user": 7}}, "not_a_string", "filter.user"),
        ({"filter": {"from": True}}, "not_an_integer", "filter.from"),
        ({"filter": {"state": "delivered"}}, "force_needed", "filter.state"),
        ({"filter": {}, "force": 1}, "not_a_boolean", "force"),
        ({"filter": {}, "dry_run": "yes"}, "not_a_boolean", "dry_run"),
        ({"filter": {}, "limit": 10_001}, "out_of_range", "limit"),
        ({"event_ids": []}, "out_of_range", "event_ids"),
        ({"event_ids": ["a"] * 1001}, "out_of_range", "event_ids"),
        ({"event_ids": [1]}, "not_a_string", "event_ids"),
        ([], "not_an_object", None),
    ],
)
def test_a_replay_that_cannot_be_meant_sends_nothing(desk_source, body, code, field) -> None:
    answer = desk_source.post("/events/replay", body)
    assert answer.status_code == 422
    assert (answer.json()["code"], answer.json().get("field")) == (code, field)
    assert Replay.objects.count() == 0


def test_each_call_needs_its_scope(carl) -> None:
    reader, replayer = Caller("desk", "read"), Caller("desk", "replay")
    assert reader.post("/events/replay", {"filter": {}}).json()["code"] == "missing_scope"
    assert replayer.get("/events").json()["code"] == "missing_scope"
    assert Client().get("/api/v1/events").status_code == 401
