"""`/users/{id}/topics`, and events to topics over HTTP."""

from urllib.parse import quote

import httpx
import pytest
from django.utils import timezone

from gateway.ingress.replies import send_broadcasts_due
from notifications.models import Broadcast, Event
from notifications.sweep import sweep
from notifications.topics import fan_out
from tests.gateway.good_events import event_json, event_message
from tests.gateway.other_ends import Producer, Stream
from tests.gateway.servers import Server
from tests.kit.sign_in import cookie_of, token_for
from users import keys
from users.models import TopicRule


@pytest.fixture(autouse=True)
def rules(venue) -> None:
    TopicRule.objects.create(prefix="market.", audience="everybody")
    TopicRule.objects.create(prefix="vip.", audience="api")
    venue.topic_prefixes = ["market."]
    venue.save()


@pytest.fixture
def person(daphne: Server, ann):
    csrf = "a" * 32
    headers = {"Cookie": f"{cookie_of(ann)}; csrftoken={csrf}", "X-CSRFToken": csrf}
    with httpx.Client(base_url=f"{daphne.url}/api/v1/users", headers=headers, trust_env=False) as client:
        yield client


@pytest.fixture
def manager(daphne: Server, venue, ann):
    headers = {"Authorization": f"Bearer {keys.issue(venue, ['admin'])}"}
    with httpx.Client(base_url=f"{daphne.url}/api/v1/users", headers=headers, trust_env=False) as client:
        yield client


def rejected_ack(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"]
    return answer.status_code, answer.json()["code"]


def test_a_person_follows_and_leaves_topics(person) -> None:
    assert person.get("/me/topics").json() == {"topics": []}
    for _ in range(2):
        answer = person.put("/me/topics/market.BTC")
        assert (answer.status_code, answer.json()) == (200, {"topics": ["market.BTC"]})
    assert person.put("/ann/topics/market.ETH").json() == {"topics": ["market.BTC", "market.ETH"]}
    for _ in range(2):
        answer = person.delete("/me/topics/market.BTC")
        assert (answer.status_code, answer.json()) == (200, {"topics": ["market.ETH"]})
    assert person.get("/me/topics").json() == {"topics": ["market.ETH"]}


def test_a_change_by_browser_session_needs_its_csrf_token(daphne: Server, ann) -> None:
    url, cookie = f"{daphne.url}/api/v1/users/me/topics", {"Cookie": cookie_of(ann)}
    for method in ("PUT", "DELETE"):
        answer = httpx.request(method, f"{url}/market.BTC", headers=cookie, trust_env=False)
        assert rejected_ack(answer) == (403, "csrf_failed")
    assert httpx.get(url, headers=cookie, trust_env=False).json() == {"topics": []}


def test_a_person_follows_with_a_token_too(daphne: Server, ann) -> None:
    url, headers = f"{daphne.url}/api/v1/users/me/topics", {"Authorization": f"Bearer {token_for('ann')}"}
    answer = httpx.put(f"{url}/market.BTC", headers=headers, trust_env=False)
    assert (answer.status_code, answer.json()) == (200, {"topics": ["market.BTC"]})
    assert rejected_ack(httpx.put(f"{url}/vip.1", headers=headers, trust_env=False)) == (
        403,
        "topic_forbidden",
    )


def test_what_a_person_may_not(person, bob) -> None:
    assert rejected_ack(person.put("/me/topics/vip.1")) == (403, "topic_forbidden")
    assert rejected_ack(person.put("/me/topics/" + quote("no way"))) == (422, "invalid_topic")
    assert rejected_ack(person.put("/me/topics/" + "x" * 129)) == (422, "invalid_topic")
    assert rejected_ack(person.put("/me/topics/a%00b")) == (422, "invalid_topic")
    for method in (person.get, person.delete, person.put):
        path = "/bob/topics" if method == person.get else "/bob/topics/market.BTC"
        assert rejected_ack(method(path)) == (404, "not_found")


def test_nobody_gets_in_without_a_session_or_a_key_with_the_scope(daphne: Server, venue, ann) -> None:
    url = f"{daphne.url}/api/v1/users/ann/topics"
    weak = {"Authorization": f"Bearer {keys.issue(venue, ['publish', 'read', 'replay'])}"}
    wrong = {"Authorization": "Bearer tsn_nobody_x"}
    for method in ("GET", "PUT", "DELETE"):
        path = url if method == "GET" else f"{url}/market.BTC"
        for headers, expected in (
            ({}, (401, "not_signed_in")),
            (weak, (403, "missing_scope")),
            (wrong, (401, "invalid_key")),
        ):
            answer = httpx.request(method, path, headers=headers, trust_env=False)
            assert rejected_ack(answer) == expected


def test_a_source_subscribes_persons_also_where_they_may_not_themselves(manager) -> None:
    assert manager.put("/ann/topics/vip.1").json() == {"topics": ["vip.1"]}
    assert manager.get("/ann/topics").json() == {"topics": ["vip.1"]}
    assert manager.delete("/ann/topics/vip.1").json() == {"topics": []}
    assert rejected_ack(manager.put("/ann/topics/other")) == (403, "topic_forbidden")
    assert rejected_ack(manager.get("/nobody/topics")) == (404, "not_found")
    assert rejected_ack(manager.get("/me/topics")) == (404, "not_found")
    assert rejected_ack(manager.get("/a%00b/topics")) == (404, "not_found")


def test_an_event_to_a_topic_by_http_ends_with_counts(person, producer: Producer) -> None:
    person.put("/me/topics/market.BTC")
    event = event_json(user_id=..., topic="market.BTC", payload={"price": "1"})
    first = producer.post("/events", json=event)
    assert (first.status_code, first.json()["status"], first.json()["seq"]) == (202, "QUEUED", 0)
    duplicate = producer.post("/events", json=event)
    assert (duplicate.status_code, duplicate.json()["duplicate"]) == (200, True)
    conflict = producer.post("/events", json=event | {"payload": {}})
    assert (conflict.status_code, conflict.json()["code"]) == (409, "conflict")
    story = producer.get(f"/events/{event['event_id']}").json()
    assert (story["counts"], story["everybody_told"], story["ack"]["status"]) == ({}, False, "QUEUED")
    row = Broadcast.objects.get()
    fan_out.accept_next_chunk(str(row.pk), now=row.accepted_at)
    sweep(now=row.accepted_at)
    ended = producer.post("/events", json=event, params={"wait": 5}).json()
    assert (ended["final"], ended["code"], ended["counts"]) == (True, "nobody_reached", {"failed": 1})
    story = producer.get(f"/events/{event['event_id']}", params={"wait": 5}).json()
    assert story["ack"] | {"at": 0, "duplicate": 0} == ended | {"at": 0, "duplicate": 0}
    assert (story["topic"], story["payload"], story["counts"], story["everybody_told"]) == (
        "market.BTC",
        {"price": "1"},
        {"failed": 1},
        True,
    )
    own = producer.get(f"/events/{Event.objects.get().event_id}").json()
    assert (own["topic"], own["topic_event_id"], own["user_id"]) == ("market.BTC", event["event_id"], "ann")


def test_a_long_poll_ends_with_the_broadcast(person, producer: Producer) -> None:
    event = event_json(user_id=..., topic="market.BTC")
    ack = producer.post("/events", json=event, params={"wait": 5}).json()
    assert (ack["final"], ack["code"]) == (True, "no_subscribers")


def test_refusals_by_http_name_the_topic(producer: Producer) -> None:
    for topic, status, code in (("secret.1", 403, "forbidden_topic"), ("a b", 422, "invalid_topic")):
        for priority in ("INFORMATIONAL", "CRITICAL"):
            event = event_json(user_id=..., topic=topic, delivery={"priority": priority})
            answer = producer.post("/events", json=event)
            assert rejected_ack(answer) == (status, code)
            assert answer.json()["field"] == "topic"
    assert not Broadcast.objects.exists()


def test_a_batch_mixes_persons_and_topics_and_is_answered_in_order(person, producer: Producer) -> None:
    person.put("/me/topics/market.BTC")
    acks = producer.batch(
        event_json(event_id="a"),
        event_json(event_id="b", user_id=..., topic="market.BTC"),
        event_json(event_id="c", user_id=..., topic="market.ETH"),
        event_json(event_id="d", user_id=..., topic="secret"),
        event_json(event_id="e"),
    )
    assert [(ack["event_id"], ack["seq"], ack["code"]) for ack in acks] == [
        ("a", 1, "no_channel"),
        ("b", 0, ""),
        ("c", 0, "no_subscribers"),
        ("d", 0, "forbidden_topic"),
        ("e", 2, "no_channel"),
    ]


def test_protobuf_acks_have_the_counts(person, producer: Producer) -> None:
    person.put("/me/topics/market.BTC")
    message = event_message(user_id=..., topic="market.BTC")
    assert producer.publish_message(message)[0] == 202
    row = Broadcast.objects.get()
    fan_out.accept_next_chunk(str(row.pk), now=row.accepted_at)
    sweep(now=row.accepted_at)
    status, ack = producer.publish_message(message)
    assert (status, dict(ack.counts), ack.code) == (200, {"failed": 1}, "nobody_reached")


def test_streams_tell_queued_and_then_one_final_ack(person, stream: Stream, valkey) -> None:
    person.put("/me/topics/market.BTC")
    sent = event_message(event_id="b", user_id=..., topic="market.BTC", source="venue").SerializeToString()
    stream.add(sent)
    stream.add(event_id="c", user_id=..., topic="market.ETH")
    stream.drain()
    assert stream.told() == [("b", "QUEUED", False, "")]
    assert send_broadcasts_due(valkey, clock=timezone.now) == 1
    row = Broadcast.objects.get(event_id="b")
    fan_out.accept_next_chunk(str(row.pk), now=row.accepted_at)
    sweep(now=row.accepted_at)
    assert [send_broadcasts_due(valkey, clock=timezone.now) for _ in range(2)] == [1, 0]
    assert stream.told()[1:] == [
        ("c", "ACK_ERROR", True, "no_subscribers"),
        ("b", "ACK_ERROR", True, "nobody_reached"),
    ]
    assert dict(stream.acks()[2].counts) == {"failed": 1}
    stream.add(sent)
    stream.drain()
    assert stream.acks()[3].duplicate
