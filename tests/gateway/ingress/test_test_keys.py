"""Events of test keys: decided like any other, sent to nobody, and kept apart from live ones."""

import json

import pytest
from django.test import Client

from gateway.codec.acks import ack_to_json
from gateway.ingress import publishing
from gateway.ingress.publishing import PublishRequest
from notifications.models import Broadcast, Delivery, Event, SimulatedEvent
from notifications.operations import expiry
from notifications.states import Channel
from runtime.postgres import clock
from tests.gateway.good_events import event_json
from users import keys
from users.models import ApiKey, Destination, Source, TopicSubscription, User


class Sandbox:
    """A producer with a test key, on the modules of this process."""

    def __init__(self) -> None:
        self.source = Source.objects.create(name="exchange", topic_prefixes=["market."])
        self.key = keys.issue(self.source, ["publish", "read"], test=True)
        self.client = Client(headers={"Authorization": f"Bearer {self.key}"})

    def publish(self, key: str = "", **changes: object) -> dict:
        body = json.dumps({"events": [event_json(**changes)]}).encode()
        [acks] = publishing.take([PublishRequest(key or self.key, "application/json", body, many=True)])
        assert isinstance(acks, list), acks
        return ack_to_json(acks[0])

    def story(self, event_id: str):
        return self.client.get(f"/api/v1/events/{event_id}")


@pytest.fixture
def tester(ann) -> Sandbox:
    return Sandbox()


@pytest.fixture
def chat(ann: User) -> Destination:
    kind = Channel.TELEGRAM
    return ann.destinations.create(kind=kind, address="100200300", verified_at=clock.now())


def test_it_is_routed_and_traced_and_nothing_is_sent_or_stored_beside_live_events(tester, chat) -> None:
    ack = tester.publish(event_id="t-1")
    assert (ack["status"], ack["final"], ack["simulated"]) == ("DELIVERED", True, True)
    assert (ack["delivered_via"], ack["evidence"]) == ("TELEGRAM", "TRANSPORT")
    states = {one["channel"]: one["state"] for one in ack["outcomes"]}
    assert states["TELEGRAM"] == "sent" and states["WEB"] == states["EMAIL"] == "skipped"
    assert (Event.objects.count(), Delivery.objects.count()) == (0, 0)
    story = tester.story("t-1").json()
    assert story["ack"]["simulated"] and story["plan"][0]["channel"] == "TELEGRAM"
    assert {line["channel"] for line in story["trace"]} >= {"WEB", "TELEGRAM"}


def test_without_a_channel_it_fails_as_a_live_one_would(tester) -> None:
    ack = tester.publish(event_id="t-1")
    assert (ack["status"], ack["code"], ack["simulated"]) == ("ACK_ERROR", "no_channel", True)


def test_it_is_checked_as_a_live_one(tester) -> None:
    ack = tester.publish(event_id="t-1", user_id="nobody")
    assert (ack["code"], ack["simulated"]) == ("unknown_user", False)
    assert SimulatedEvent.objects.count() == 0


def test_an_id_is_known_the_second_time_and_is_free_for_a_live_event(tester, chat) -> None:
    event = event_json(event_id="t-1")
    assert not tester.publish(**event)["duplicate"]
    again = tester.publish(**event)
    assert (again["status"], again["duplicate"]) == ("DELIVERED", True)
    other = tester.publish(event_id="t-1", payload={"symbol": "ETH/USDT"})
    assert (other["code"], other["simulated"]) == ("conflict", False)
    live = keys.issue(tester.source, ["publish", "read"])
    accepted = tester.publish(live, event_id="t-1")
    assert (accepted["status"], accepted["simulated"], accepted["duplicate"]) == ("QUEUED", False, False)
    assert Event.objects.count() == 1


def test_an_event_to_a_topic_counts_its_followers(tester, ann) -> None:
    TopicSubscription.objects.create(person=ann, topic="market.BTC")
    ack = tester.publish(event_id="t-1", user_id=None, topic="market.BTC")
    assert (ack["status"], ack["counts"], ack["simulated"]) == ("DELIVERED", {"persons": 1}, True)
    assert Broadcast.objects.count() == 0


@pytest.mark.parametrize("path", ["/events", "/events/stats", "/users"])
def test_a_test_key_sees_nothing_live(tester, path) -> None:
    ApiKey.objects.update(scopes=["publish", "read", "admin"])
    answer = tester.client.get(f"/api/v1{path}")
    assert (answer.status_code, answer.json()["code"]) == (403, "test_key")


def test_a_live_event_is_not_there_for_a_test_key_and_the_other_way_round(tester, chat) -> None:
    live = keys.issue(tester.source, ["publish", "read"])
    tester.publish(live, event_id="live")
    tester.publish(event_id="test")
    assert tester.story("live").status_code == 404
    assert Client(headers={"Authorization": f"Bearer {live}"}).get("/api/v1/events/test").status_code == 404


def test_a_test_key_is_seen_by_its_text_and_so_is_its_successor(tester) -> None:
    assert tester.key.startswith("tsn_test")
    assert keys.rotate(tester.key.split("_")[1], now=clock.now()).startswith("tsn_test")
    assert ApiKey.objects.filter(test=True).count() == 2


def test_what_was_simulated_is_forgotten_after_a_week(tester, chat) -> None:
    tester.publish(event_id="t-1")
    expiry.forget_expired(now=clock.now())
    assert SimulatedEvent.objects.count() == 1
    expiry.forget_expired(now=clock.now() + expiry.SIMULATED_KEPT)
    assert SimulatedEvent.objects.count() == 0
