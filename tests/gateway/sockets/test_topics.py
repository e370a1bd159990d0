"""Topics on sockets: a subscription is the person's, and one publish reaches everybody who follows."""

import pytest

from notifications.live import pubsub
from notifications.models import Broadcast, Event
from notifications.topics import fan_out, subscriptions
from tests.gateway.good_events import event_json
from tests.gateway.other_ends import Producer
from tests.kit.eventually import eventually
from users.models import TopicRule, TopicSubscription

BTC = "market.BTC"


@pytest.fixture(autouse=True)
def rules(venue) -> None:
    TopicRule.objects.create(prefix="market.", audience="everybody")
    venue.topic_prefixes = ["market."]
    venue.save()


def to_topic(priority: str = "INFORMATIONAL", **changes: object) -> dict:
    return event_json(user_id=..., topic=BTC, delivery={"priority": priority}, **changes)


def follow(page, *names: str) -> None:
    page.send(type="subscribe", topics=list(names))
    assert page.receive() == {"type": "subscribed", "topics": sorted(names)}


def followers_at_redis(valkey) -> int:
    return valkey.pubsub_numsub(pubsub.topic_channel(BTC))[0][1]


def test_all_sockets_of_the_person_follow_and_nobody_elses(open_page, producer: Producer, ann, bob) -> None:
    first, second, other = open_page(ann), open_page(ann), open_page(bob)
    follow(first, BTC)
    assert second.receive() == {"type": "subscribed", "topics": [BTC]}
    first.barrier()  # the asker is answered once
    event = to_topic()
    ack = producer.post("/events", json=event).json()
    assert (ack["status"], ack["final"], ack["evidence"]) == ("DELIVERED", True, "TRANSPORT")
    assert ack["counts"] == {"processes": 1}
    frame = first.receive()
    assert second.receive() == frame
    assert (frame["event_id"], frame["topic"], "seq" in frame) == (event["event_id"], BTC, False)
    other.barrier()


def test_one_publish_reaches_every_follower_in_their_language(
    open_page, producer: Producer, ann, bob
) -> None:
    bob.locale = "de-CH"
    bob.save()
    english, german = open_page(ann), open_page(bob)
    follow(english, BTC)
    follow(german, BTC)
    event = to_topic(event_type="MARKET_DATA_UPDATED", payload={"symbol": BTC})
    assert producer.post("/events", json=event).json()["counts"] == {"processes": 1}
    assert english.receive()["title"] == f"Market data updated: {BTC}"
    assert german.receive()["title"] == f"Marktdaten aktualisiert: {BTC}"
    english.barrier()
    german.barrier()


def test_a_subscription_lasts_longer_than_the_socket(open_page, producer: Producer, ann, valkey) -> None:
    page = open_page(ann)
    follow(page, BTC, "market.ETH")
    page.close()
    eventually(lambda: followers_at_redis(valkey) == 0)
    assert producer.post("/events", json=to_topic()).json()["code"] == "no_session"
    again = open_page(ann)
    producer.post("/events", json=to_topic(payload={"n": 2}))
    assert again.receive()["payload"] == {"n": 2}


def test_who_unsubscribes_hears_no_more_on_any_socket(open_page, producer: Producer, ann, valkey) -> None:
    first, second = open_page(ann), open_page(ann)
    follow(first, BTC, "market.ETH")
    assert second.receive()["topics"] == [BTC, "market.ETH"]
    second.send(type="unsubscribe", topics=[BTC, "market.DOGE"])
    assert second.receive() == {"type": "subscribed", "topics": ["market.ETH"]}
    assert first.receive() == {"type": "subscribed", "topics": ["market.ETH"]}
    eventually(lambda: followers_at_redis(valkey) == 0)
    producer.post("/events", json=to_topic())
    first.barrier()
    second.barrier()


def test_each_refusal_names_its_topic_and_the_others_are_followed(open_page, ann) -> None:
    page = open_page(ann)
    page.send(type="subscribe", topics=["secret.1", BTC, "no/slash"])
    errors = [page.receive(), page.receive()]
    assert [(e["type"], e["code"], e["topic"]) for e in errors] == [
        ("error", "topic_forbidden", "secret.1"),
        ("error", "invalid_topic", "no/slash"),
    ]
    assert all(error["detail"] for error in errors)
    assert page.receive() == {"type": "subscribed", "topics": [BTC]}
    TopicSubscription.objects.bulk_create(
        TopicSubscription(person=ann, topic=f"market.{number:03}") for number in range(99)
    )
    page.send(type="subscribe", topics=["market.one-more"])
    error = page.receive()
    assert (error["code"], error["topic"]) == ("too_many_topics", "market.one-more")
    assert len(page.receive()["topics"]) == 100


@pytest.mark.parametrize("kind", ["subscribe", "unsubscribe"])
def test_frames_that_are_no_list_of_names_are_refused(open_page, ann, kind: str) -> None:
    page = open_page(ann)
    for wrong in ({}, {"topics": BTC}, {"topics": []}, {"topics": [1]}, {"topics": ["x"] * 101}):
        page.send(type=kind, **wrong)
        error = page.receive()
        assert (error["type"], error["code"]) == ("error", "invalid_topic"), wrong
        page.barrier()


@pytest.mark.parametrize("name", ["\ud800", "a\0b"])
def test_text_that_the_database_has_not_is_refused_as_a_topic(open_page, ann, name: str) -> None:
    page = open_page(ann)
    page.send(type="subscribe", topics=[name])
    assert page.receive()["code"] == "invalid_topic"
    assert page.receive() == {"type": "subscribed", "topics": []}
    page.send(type="unsubscribe", topics=[name])
    assert page.receive() == {"type": "subscribed", "topics": []}


def test_a_stored_event_reaches_open_pages_as_their_own(open_page, producer: Producer, ann, bob) -> None:
    pages = {person: open_page(person) for person in (ann, bob)}
    for page in pages.values():
        follow(page, BTC)
    event = to_topic("NORMAL", payload={"price": "1"})
    answer = producer.post("/events", json=event)
    ack = answer.json()
    assert (answer.status_code, ack["status"], ack["final"]) == (202, "QUEUED", False)
    fan_out.accept_next_chunk(str(Broadcast.objects.get().pk), now=Broadcast.objects.get().accepted_at)
    for person, page in pages.items():
        frame = page.receive()
        own = Event.objects.get(person=person)
        assert (frame["event_id"], frame["seq"], frame["topic"]) == (own.event_id, 1, BTC)
        page.send(type="ack", event_ids=[frame["event_id"]])
        page.barrier()
        eventually(lambda pk=own.pk: Event.objects.get(pk=pk).state == "delivered")


def test_one_publish_reaches_a_thousand_followers_in_one_process(open_page, producer: Producer, ann) -> None:
    """Twenty pages stand for the sockets; the other persons follow without one and cost nothing here."""
    from users.models import User

    people = User.objects.bulk_create(User(username=f"p{n}", external_id=f"p{n}") for n in range(1_000))
    TopicSubscription.objects.bulk_create(TopicSubscription(person=p, topic=BTC) for p in people)
    pages = [open_page(person) for person in people[:20]]
    ack = producer.post("/events", json=to_topic()).json()
    assert ack["counts"] == {"processes": 1}
    assert len({page.receive()["event_id"] for page in pages}) == 1


def test_a_page_that_is_opened_while_the_person_subscribes_follows_too(open_page, ann, valkey) -> None:
    page = open_page(ann)
    subscriptions.subscribe(ann.pk, [BTC], now=ann.date_joined)  # as the API or the admin does
    assert page.receive() == {"type": "subscribed", "topics": [BTC]}
    assert followers_at_redis(valkey) == 1
    subscriptions.unsubscribe(ann.pk, [BTC])
    assert page.receive() == {"type": "subscribed", "topics": []}
    eventually(lambda: followers_at_redis(valkey) == 0)


def test_a_rule_that_is_taken_away_in_the_admin_ends_the_following_at_once(
    open_page, ann, client, django_user_model
) -> None:
    page = open_page(ann)
    follow(page, BTC)
    operator = django_user_model.objects.create_superuser("operator", external_id="operator", password="x")
    client.force_login(operator)
    rule = TopicRule.objects.get()
    changed = {"prefix": "market.ETH", "audience": "everybody", "group": ""}
    assert client.post(f"/admin/users/topicrule/{rule.pk}/change/", changed).status_code == 302
    assert page.receive() == {"type": "subscribed", "topics": []}
    assert client.post(f"/admin/users/topicrule/{rule.pk}/delete/", {"post": "yes"}).status_code == 302
    added = changed | {"prefix": "market."}
    assert client.post("/admin/users/topicrule/add/", added).status_code == 302
    assert page.receive() == {"type": "subscribed", "topics": [BTC]}
    subscription = TopicSubscription.objects.get()
    url = f"/admin/users/topicsubscription/{subscription.pk}/delete/"
    assert client.post(url, {"post": "yes"}).status_code == 302
    assert page.receive() == {"type": "subscribed", "topics": []}
