"""Postgres goes away around a COMMIT: what was accepted is never called "nothing"."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from notifications.models import Event
from proto.tocsin.v1 import user_events_pb2 as wire
from tests.faults.proxy import Proxy
from tests.gateway.good_events import event_json, event_message
from tests.gateway.other_ends import Producer
from tests.gateway.servers import Server, database_url, running_server_of
from users.models import TopicRule, TopicSubscription

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def cut_off(django_db_setup, tmp_path_factory, django_db_blocker) -> Iterator[tuple[Proxy, Server]]:
    """A server with a proxy before its Postgres."""
    from django.db import connection

    there = urlsplit(database_url(connection.settings_dict["NAME"]))
    proxy = Proxy(there.port or 5432)
    login = there.netloc.rpartition("@")[0]
    url = there._replace(netloc=f"{login}@127.0.0.1:{proxy.port}").geturl()
    with running_server_of(tmp_path_factory.mktemp("cut") / "log", DATABASE_URL=url) as server:
        yield proxy, server
    proxy.close()


@pytest.fixture
def producer(cut_off, venue, ann) -> Iterator[Producer]:
    from users import keys

    scopes = ["publish", "read", "replay", "admin", "tickets"]
    with Producer(cut_off[1], keys.issue(venue, scopes)) as client:
        yield client
    cut_off[0].heal()


@pytest.fixture
def proxy(cut_off) -> Proxy:
    return cut_off[0]


def problem_of(answer: httpx.Response) -> tuple[int, str, bool]:
    said = answer.json()
    return answer.status_code, said["code"], "nothing was" in said["detail"]


UNKNOWN, NOTHING = (503, "commit_unknown", False), (503, "unavailable", True)


def test_a_lost_answer_to_commit_is_not_known_and_the_same_id_a_duplicate(
    producer: Producer, proxy: Proxy
) -> None:
    event = event_json()
    proxy.cut_answer_to = b"COMMIT"
    answer = producer.post("/events", json=event)
    proxy.heal()
    assert problem_of(answer) == UNKNOWN
    assert answer.headers["Retry-After"]
    assert Event.objects.count() == 1
    again = producer.post("/events", json=event)
    assert (again.status_code, again.json()["duplicate"]) == (200, True)


def test_a_connection_that_ends_before_commit_accepts_nothing(producer: Producer, proxy: Proxy) -> None:
    producer.publish()  # the person's first event makes a cursor, which is no acceptance
    proxy.cut_answer_to = b"INSERT INTO notifications_event"
    answer = producer.publish()
    proxy.heal()
    assert problem_of(answer) == NOTHING
    assert Event.objects.count() == 1


def test_the_first_event_of_a_person_that_ends_before_commit_accepts_nothing(
    producer: Producer, proxy: Proxy
) -> None:
    proxy.cut_answer_to = b"notifications_event"
    assert problem_of(producer.publish()) == NOTHING


def test_a_batch_and_protobuf_are_answered_alike(producer: Producer, proxy: Proxy) -> None:
    events = [event_json(), event_json()]
    batch = wire.UserEventBatch(events=[event_message(), event_message()]).SerializeToString()
    proxy.cut_answer_to = b"COMMIT"
    assert problem_of(producer.post("/events/batch", json={"events": events})) == UNKNOWN
    assert problem_of(producer.post_protobuf("/events/batch", batch)) == UNKNOWN
    proxy.heal()
    assert [ack["duplicate"] for ack in producer.batch(*events)] == [True, True]


def test_what_was_committed_before_the_rest_failed_is_not_called_nothing(
    producer: Producer, proxy: Proxy, venue
) -> None:
    venue.topic_prefixes = ["market."]
    venue.save()
    TopicRule.objects.create(prefix="market.", audience="everybody")
    to_topic = event_json(topic="market.btc")
    del to_topic["user_id"]
    event = event_json()
    proxy.cut_answer_to = b"notifications_broadcast"
    answer = producer.post("/events/batch", json={"events": [event, to_topic]})
    proxy.heal()
    assert problem_of(answer) in [UNKNOWN, NOTHING]
    assert (problem_of(answer) == NOTHING) is not Event.objects.exists()


CALLS = {
    "revoke": ("POST", "/users/ann/revoke", None),
    "follow": ("PUT", "/users/ann/topics/market.btc", None),
    "leave": ("DELETE", "/users/ann/topics/market.eth", None),
    "replay": ("POST", "/events/replay", {"filter": {}}),
}


def changes(ann) -> bool:
    ann.refresh_from_db()
    topics = list(TopicSubscription.objects.values_list("topic", flat=True))
    return ann.sessions_valid_from is not None or topics != ["market.eth"]


@pytest.mark.parametrize(("method", "path", "body"), CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("asked", [b"COMMIT", b"users_user"], ids=["after", "before"])
def test_other_calls_that_change_something(
    producer: Producer, proxy: Proxy, ann, method: str, path: str, body: object, asked: bytes
) -> None:
    from django.utils import timezone

    TopicRule.objects.create(prefix="market.", audience="everybody")
    TopicSubscription.objects.create(person=ann, topic="market.eth", created_at=timezone.now())
    if path.endswith("replay"):
        producer.publish()  # nobody is online and no channel is usable: a dead letter
        asked = asked if asked == b"COMMIT" else b"notifications_event"
    proxy.cut_answer_to = asked
    answer = producer.request(method, path, json=body) if body else producer.request(method, path)
    proxy.heal()
    assert problem_of(answer) == (UNKNOWN if asked == b"COMMIT" else NOTHING)
    if not path.endswith("replay"):
        assert changes(ann) is (asked == b"COMMIT")
