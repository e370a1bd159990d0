"""Who may follow which topic, who does, and whom an event to it reaches."""

import json
from datetime import timedelta

import pytest
import redis
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError

from notifications.live import pubsub
from notifications.topics import subscriptions
from users.models import TopicRule, TopicSubscription

EVERYBODY, GROUP, API = TopicRule.Audience.EVERYBODY, TopicRule.Audience.GROUP, TopicRule.Audience.API


@pytest.fixture
def desks(db) -> Group:
    return Group.objects.create(name="desks")


def rule(prefix: str, audience: str = EVERYBODY, group: Group | None = None) -> None:
    TopicRule.objects.create(prefix=prefix, audience=audience, group=group)


def codes(change: subscriptions.Change) -> list[tuple[str, str]]:
    assert all(refused.detail for refused in change.refused)
    return [(refused.topic, refused.code) for refused in change.refused]


def test_a_subscription_is_kept_until_it_is_ended(ada, now) -> None:
    rule("market.")
    assert subscriptions.subscribe(ada.pk, ["market.ETH", "market.BTC"], now=now).topics == [
        "market.BTC",
        "market.ETH",
    ]
    assert subscriptions.subscribe(ada.pk, ["market.BTC"], now=now).topics == ["market.BTC", "market.ETH"]
    assert subscriptions.unsubscribe(ada.pk, ["market.BTC", "market.DOGE"]) == ["market.ETH"]
    assert subscriptions.followed(ada.pk) == ["market.ETH"]


def test_without_a_rule_nobody_may(ada, now) -> None:
    change = subscriptions.subscribe(ada.pk, ["market.BTC"], now=now)
    assert (change.topics, codes(change)) == ([], [("market.BTC", "topic_forbidden")])


def test_what_is_refused_does_not_stop_the_others(ada, now) -> None:
    rule("market.")
    change = subscriptions.subscribe(ada.pk, ["market.BTC", "secret", "a b", "", "x" * 129, "é"], now=now)
    assert change.topics == ["market.BTC"]
    assert codes(change) == [
        ("secret", "topic_forbidden"),
        ("a b", "invalid_topic"),
        ("", "invalid_topic"),
        ("x" * 128, "invalid_topic"),
        ("é", "invalid_topic"),
    ]


def test_the_longest_prefix_decides(ada, desks, now) -> None:
    rule("market.")
    rule("market.internal.", GROUP, desks)
    names = ["market.internal.risk", "market.BTC"]
    change = subscriptions.subscribe(ada.pk, names, now=now)
    assert (change.topics, codes(change)) == (["market.BTC"], [("market.internal.risk", "topic_forbidden")])
    ada.groups.add(desks)
    assert subscriptions.subscribe(ada.pk, names, now=now).topics == sorted(names)


def test_a_rule_for_sources_lets_only_a_source_subscribe(ada, now) -> None:
    rule("vip.", API)
    assert codes(subscriptions.subscribe(ada.pk, ["vip.1"], now=now)) == [("vip.1", "topic_forbidden")]
    assert subscriptions.subscribe(ada.pk, ["vip.1"], now=now, by_source=True).topics == ["vip.1"]
    assert subscriptions.followed(ada.pk) == ["vip.1"]


def test_there_is_room_for_a_hundred(ada, now) -> None:
    rule("t")
    names = [f"t{number:03}" for number in range(subscriptions.TOPICS_AT_MOST + 1)]
    change = subscriptions.subscribe(ada.pk, names, now=now)
    assert (len(change.topics), codes(change)) == (100, [("t100", "too_many_topics")])
    again = subscriptions.subscribe(ada.pk, ["t000"], now=now)
    assert (len(again.topics), again.refused) == (100, [])


@pytest.mark.django_db(transaction=True)
def test_two_at_once_do_not_pass_the_limit(desk, side_by_side, now) -> None:
    person = desk.person()
    rule("t")
    subscriptions.subscribe(person.pk, [f"t{number}" for number in range(99)], now=now)
    changes = side_by_side(
        *(
            lambda name=name: subscriptions.subscribe(person.pk, [name], now=now)
            for name in ("ta", "tb", "tc", "td")
        )
    )
    assert sorted(len(change.refused) for change in changes) == [0, 1, 1, 1]
    assert TopicSubscription.objects.count() == 100


def test_a_rule_that_is_taken_away_ends_the_following_and_keeps_the_subscription(ada, now) -> None:
    rule("market.")
    subscriptions.subscribe(ada.pk, ["market.BTC"], now=now)
    TopicRule.objects.all().delete()
    assert subscriptions.followed(ada.pk) == []
    assert subscriptions.audience("market.BTC", before=now) == []
    rule("market.")
    assert subscriptions.followed(ada.pk) == ["market.BTC"]


def test_the_audience_is_whoever_followed_in_time_is_active_and_may(desk, desks, now) -> None:
    rule("desk.", GROUP, desks)
    members = [desk.person(name) for name in ("ada", "bea", "cyd", "dan", "eve")]
    for person in members:
        person.groups.add(desks)
        subscriptions.subscribe(person.pk, ["desk.1"], now=now)
    ada, bea, cyd, dan, eve = members
    bea.groups.clear()
    cyd.is_active = False
    cyd.save()
    TopicSubscription.objects.filter(person=dan).update(created_at=now + timedelta(seconds=1))
    reached = [(ada.pk, "ada"), (eve.pk, "eve")]
    assert subscriptions.audience("desk.1", before=now) == reached
    assert subscriptions.audience("desk.1", before=now, limit=1) == reached[:1]
    assert subscriptions.audience("desk.1", before=now, after=ada.pk) == reached[1:]
    assert subscriptions.audience("desk.2", before=now) == []


def test_the_sockets_of_the_person_are_told_of_a_change_and_of_nothing_else(ada, now) -> None:
    rule("market.")
    with redis.Redis.from_url(settings.REDIS_URL) as client, client.pubsub() as heard:
        heard.subscribe(pubsub.user_channel(ada.pk))
        heard.get_message(timeout=5)
        subscriptions.subscribe(ada.pk, ["market.BTC"], now=now)
        subscriptions.subscribe(ada.pk, ["market.BTC"], now=now)
        subscriptions.unsubscribe(ada.pk, ["market.ETH"])
        subscriptions.unsubscribe(ada.pk, ["market.BTC"])
        client.publish(pubsub.user_channel(ada.pk), b'"end"')
        said = []
        while (message := heard.get_message(timeout=5))["data"] != b'"end"':
            said.append(message["data"])
    assert said == [pubsub.TOPICS_CHANGED] * 2
    assert json.loads(pubsub.TOPICS_CHANGED)


def test_a_rule_names_a_group_exactly_when_it_is_for_one(desks) -> None:
    for wrong in (TopicRule(prefix="a", audience=GROUP), TopicRule(prefix="a", audience=API, group=desks)):
        with pytest.raises(ValidationError, match="group"):
            wrong.full_clean()
    TopicRule(prefix="a", audience=GROUP, group=desks).full_clean()


@pytest.mark.parametrize("name", ["", "a b", "a/b", "ä", "a\n", "x" * 129])
def test_a_name_that_is_no_topic_is_refused_in_the_admin_too(ada, name: str) -> None:
    with pytest.raises(ValidationError):
        TopicSubscription(person=ada, topic=name).full_clean()
