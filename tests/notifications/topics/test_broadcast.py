"""Events to topics: one ack, an event of their own for each who follows, and an end with counts."""

from dataclasses import replace
from datetime import time, timedelta

import pytest
import redis
from django.conf import settings as django_settings

from notifications import acks, dispatch, store
from notifications.events import Envelope
from notifications.ingest import ingest
from notifications.live import pubsub
from notifications.models import Broadcast, Delivery, Event
from notifications.operations import monitor
from notifications.states import Channel, Evidence, Priority
from notifications.sweep import sweep
from notifications.topics import fan_out, subscriptions
from notifications.topics.acks import broadcast_ack
from users.models import Hours, TopicRule

TOPIC = "market.BTC"
INFO, NORMAL, CRITICAL = Priority.INFORMATIONAL, Priority.NORMAL, Priority.CRITICAL


@pytest.fixture(autouse=True)
def quiet(doorbells):
    """Nothing that these tests ring for is left behind."""


@pytest.fixture
def follower(desk, now):
    """Make persons who follow the topic."""
    TopicRule.objects.create(prefix="market.", audience="everybody")

    def make(*names: str) -> list:
        persons = [desk.person(name) for name in names]
        for person in persons:
            subscriptions.subscribe(person.pk, [TOPIC], now=now)
        return persons

    return make


@pytest.fixture
def envelope(desk):
    def make(event_id: str = "e1", **fields) -> Envelope:
        grant = replace(desk.grant, topic_prefixes=("market.",))
        return desk.envelope("", event_id, **({"topic": TOPIC, "source": grant} | fields))

    return make


def tell_all(now) -> None:
    """Do what the doorbells ask for, as a worker does."""
    for row in Broadcast.objects.filter(told_at__isnull=True):
        while fan_out.accept_next_chunk(str(row.pk), now=now).fan_outs:
            pass


def looked_at(now) -> None:
    """Let the sweep look, a while later."""
    sweep(now=now + timedelta(seconds=1))


def test_each_follower_gets_an_event_of_their_own(desk, follower, envelope, doorbells, now) -> None:
    ada, bea = follower("ada", "bea")
    desk.address(ada, Channel.EMAIL)
    desk.address(bea, Channel.TELEGRAM)
    other = desk.person("carl")
    sent = envelope(
        payload={"price": "1", "a": "2"}, priority=CRITICAL, correlation_id="c", metadata={"a": "b"}
    )
    [ack] = ingest([sent], now=now)
    assert (ack.status, ack.final, ack.seq, ack.duplicate) == ("QUEUED", False, 0, False)
    row = Broadcast.objects.get()
    assert doorbells.take() == [("critical", "tocsin.fan_out", None)]
    tell_all(now)
    events = list(Event.objects.order_by("person_id"))
    assert [(e.person_id, e.seq, e.topic, e.broadcast_id) for e in events] == [
        (ada.pk, 1, TOPIC, row.pk),
        (bea.pk, 1, TOPIC, row.pk),
    ]
    assert {(e.event_type, e.priority, e.correlation_id) for e in events} == {("ORDER_FILLED", 2, "c")}
    assert all(list(e.payload.items()) == [("price", "1"), ("a", "2")] for e in events)
    assert all(e.metadata == {"a": "b"} for e in events)
    assert all(e.occurred_at == now and e.expires_at == row.expires_at for e in events)
    assert len({e.event_id for e in events}) == 2 and all(len(e.event_id) <= 200 for e in events)
    assert sorted(Delivery.objects.values_list("channel", flat=True)) == [2, 3]
    assert not Event.objects.filter(person=other).exists()


def test_open_pages_get_the_event_at_once_with_their_own_seq_and_the_topic(
    follower, envelope, open_page, now
) -> None:
    ada, _ = follower("ada", "bea")
    page = open_page(ada)
    ingest([envelope()], now=now)
    tell_all(now)
    [frame] = page.frames()
    event = Event.objects.get(person=ada)
    assert (frame["event_id"], frame["seq"], frame["topic"]) == (event.event_id, 1, TOPIC)
    assert frame["ack_by"] > 0
    acks.confirm([(ada.pk, event.event_id)], now=now)
    looked_at(now)
    ended = broadcast_ack(Broadcast.objects.get(), now=now)
    assert (ended.status, ended.final, ended.evidence) == ("DELIVERED", True, Evidence.CLIENT)
    assert ended.counts == {"delivered": 1, "failed": 1}


def test_the_end_comes_when_everybodys_event_has_ended_and_tells_the_weakest_evidence(
    desk, follower, envelope, open_page, now
) -> None:
    ada, bea = follower("ada", "bea")
    desk.address(bea, Channel.TELEGRAM)
    open_page(ada)
    ingest([envelope()], now=now)
    tell_all(now)
    acks.confirm([(ada.pk, Event.objects.get(person=ada).event_id)], now=now)
    looked_at(now)
    waiting = broadcast_ack(Broadcast.objects.get(), now=now)
    assert (waiting.status, waiting.counts) == ("QUEUED", {"delivered": 1, "accepted": 1})
    claimed = desk.claim(desk.delivery(Event.objects.get(person=bea)))
    store.record_sent([store.Success(claimed.delivery_id, claimed.token, now, now, "m1")])
    looked_at(now)  # not yet: it was looked at just now
    assert Broadcast.objects.get().state == "accepted"
    effects = sweep(now=now + timedelta(seconds=3))
    row = Broadcast.objects.get()
    assert effects.broadcasts == [str(row.pk)]
    ended = broadcast_ack(row, now=now)
    assert (ended.status, ended.evidence, ended.counts) == (
        "DELIVERED",
        Evidence.TRANSPORT,
        {"delivered": 2},
    )
    assert sweep(now=now + timedelta(hours=1)).broadcasts == []


def test_if_nobody_was_reached_the_ack_says_so(follower, envelope, now) -> None:
    follower("ada", "bea")
    ingest([envelope()], now=now)
    tell_all(now)
    looked_at(now)
    [ack] = ingest([envelope()], now=now)
    assert (ack.status, ack.final, ack.code, ack.duplicate) == ("ACK_ERROR", True, "nobody_reached", True)
    assert ack.counts == {"failed": 2}


def test_if_nobody_follows_it_ends_at_once_and_is_kept(follower, envelope, now) -> None:
    for duplicate in (False, True):
        [ack] = ingest([envelope()], now=now)
        assert (ack.status, ack.final, ack.code) == ("ACK_ERROR", True, "no_subscribers")
        assert (ack.duplicate, bool(ack.pk)) == (duplicate, True)
    follower("ada")  # too late
    tell_all(now)
    looked_at(now)
    assert not Event.objects.exists()


def test_a_duplicate_gets_the_stored_truth_and_tells_nobody_again(follower, envelope, doorbells, now) -> None:
    follower("ada")
    first, second = ingest([envelope(), envelope()], now=now)
    assert [first.duplicate, second.duplicate] == [False, True]
    tell_all(now)
    doorbells.take()
    [again] = ingest([envelope()], now=now)
    assert (again.status, again.duplicate, again.pk) == ("QUEUED", True, first.pk)
    assert doorbells.take() == []
    assert (Broadcast.objects.count(), Event.objects.count()) == (1, 1)


def test_other_content_under_the_same_id_is_a_conflict(desk, follower, envelope, now) -> None:
    [ada] = follower("ada")
    grant = replace(desk.grant, topic_prefixes=("market.",))
    to_person = desk.envelope(ada, "p1", source=grant)
    ingest([envelope(), to_person], now=now)
    tell_all(now)
    count = Event.objects.count()
    other_content = envelope(payload={"other": 1})
    topic_as_person = desk.envelope(ada, "e1", source=grant)
    person_as_topic = envelope("p1")
    answers = ingest([other_content, topic_as_person, person_as_topic], now=now)
    assert [(ack.status, ack.code, ack.final) for ack in answers] == [("ACK_ERROR", "conflict", True)] * 3
    tell_all(now)
    assert (Broadcast.objects.count(), Event.objects.count()) == (1, count)


@pytest.mark.django_db(transaction=True)
def test_a_hundred_at_once_are_one_event(desk, follower, envelope, side_by_side, now) -> None:
    follower("ada")
    batches = [[envelope("e1"), envelope("e2")], [envelope("e2"), envelope("e1")]] * 5
    answers = side_by_side(*(lambda batch=batch: ingest(batch, now=now) for batch in batches))
    assert sum(not ack.duplicate for acks_of in answers for ack in acks_of) == 2
    side_by_side(*([lambda: tell_all(now)] * 4))
    dispatch.flush()
    assert (Broadcast.objects.count(), Event.objects.count()) == (2, 2)


def test_big_audiences_are_told_in_chunks_each_with_a_doorbell_for_the_next(
    follower, envelope, override, now
) -> None:
    override(fan_out_chunk=2)
    follower(*"abcde")
    ingest([envelope()], now=now)
    pk = str(Broadcast.objects.get().pk)
    counts = []
    while fan_out.accept_next_chunk(pk, now=now).fan_outs:
        counts.append(Event.objects.count())
    assert (counts, Event.objects.count()) == ([2, 4], 5)
    assert fan_out.accept_next_chunk(pk, now=now).fan_outs == []


def test_who_left_before_their_turn_is_not_told(follower, envelope, override, now) -> None:
    override(fan_out_chunk=1)
    _, bea, cyd = follower("ada", "bea", "cyd")
    ingest([envelope()], now=now)
    fan_out.accept_next_chunk(str(Broadcast.objects.get().pk), now=now)
    subscriptions.unsubscribe(bea.pk, [TOPIC])
    tell_all(now)
    assert not Event.objects.filter(person=bea).exists()
    assert Event.objects.filter(person=cyd).exists()


def test_the_sweep_goes_on_where_nobody_rang(follower, envelope, now) -> None:
    follower("ada")
    ingest([envelope()], now=now)
    assert sweep(now=now).fan_outs == []
    later = now + timedelta(seconds=10)
    [item] = sweep(now=later).fan_outs
    assert (item.broadcast_pk, item.priority) == (str(Broadcast.objects.get().pk), NORMAL)
    assert sweep(now=later).fan_outs == []  # somebody works on it
    [again] = sweep(now=later + timedelta(minutes=2)).fan_outs
    assert again == item


def test_what_is_out_of_time_is_told_to_nobody(follower, envelope, now) -> None:
    follower("ada")
    ends_at = now + timedelta(seconds=5)
    ingest([envelope(expires_at_ms=round(ends_at.timestamp() * 1000))], now=now)
    tell_all(ends_at)
    looked_at(ends_at)
    row = Broadcast.objects.get()
    assert (row.state, row.code, Event.objects.exists()) == ("expired", "expired", False)


def test_an_informational_event_is_one_publish_and_is_not_kept(follower, envelope, now) -> None:
    follower("ada", "bea")
    [ack] = ingest([envelope(priority=INFO)], now=now)
    assert (ack.status, ack.final, ack.code) == ("ACK_ERROR", True, "no_session")
    with redis.Redis.from_url(django_settings.REDIS_URL) as client, client.pubsub() as heard:
        heard.subscribe(pubsub.topic_channel(TOPIC))
        heard.get_message(timeout=5)
        [ack] = ingest([envelope(priority=INFO)], now=now)
        frame = heard.get_message(timeout=5)["data"].decode()
        client.publish(pubsub.topic_channel(TOPIC), b"end")
        assert heard.get_message(timeout=5)["data"] == b"end"
    assert (ack.status, ack.final, ack.evidence, ack.counts) == (
        "DELIVERED",
        True,
        Evidence.TRANSPORT,
        {"processes": 1},
    )
    assert '"topic":"market.BTC"' in frame and '"seq"' not in frame and '"ack_by"' not in frame
    assert not Event.objects.exists() and not Broadcast.objects.exists()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"topic": "orders.BTC"}, "forbidden_topic"),
        ({"topic": "market"}, "forbidden_topic"),
        ({"topic": "market.BTC/USDT"}, "invalid_topic"),
        ({"topic": "market." + "x" * 122}, "invalid_topic"),
    ],
)
@pytest.mark.parametrize("priority", list(Priority))
def test_what_a_source_may_not_publish_is_refused(follower, envelope, now, fields, code, priority) -> None:
    [ack] = ingest([envelope(priority=priority, **fields)], now=now)
    assert (ack.status, ack.final, ack.code, ack.field, bool(ack.detail)) == (
        "ACK_ERROR",
        True,
        code,
        "topic",
        True,
    )
    assert not Broadcast.objects.exists()


def test_a_source_without_prefixes_may_publish_to_no_topic(desk, follower, envelope, now) -> None:
    [ack] = ingest([envelope(source=desk.grant)], now=now)
    assert ack.code == "forbidden_topic"


def test_a_broadcast_that_nobody_goes_on_with_is_overdue(follower, envelope, now) -> None:
    follower("ada")
    ingest([envelope()], now=now)
    assert monitor.overdue(now=now + timedelta(seconds=60)) == 0
    assert monitor.overdue(now=now + timedelta(seconds=70)) == 1


def test_a_followers_event_does_not_expire_while_it_is_held(desk, follower, envelope, now) -> None:
    [ada] = follower("ada")
    desk.address(ada, Channel.TELEGRAM)
    in_three_days = (now + timedelta(days=3)).weekday()
    Hours.objects.create(user=ada, kind="window", weekdays=[in_three_days], starts=time(9), ends=time(10))
    ingest([envelope()], now=now)
    tell_all(now)
    event = Event.objects.get()
    held_until = Delivery.objects.get().held_until
    assert now + timedelta(days=2) < held_until < event.expires_at
    late = round((now + timedelta(days=1)).timestamp() * 1000)
    ingest([envelope("e2", expires_at_ms=late)], now=now)
    tell_all(now)
    assert Event.objects.get(broadcast__event_id="e2").code == "expires_while_held"


@pytest.mark.parametrize("key", ["ordering_key", "collapse_key"])
def test_events_with_one_key_come_to_their_followers_in_order(desk, follower, envelope, now, key) -> None:
    """Whichever doorbell is answered first: the fan-out of the second waits for that of the first."""
    [ada] = follower("ada")
    desk.address(ada, Channel.EMAIL)
    ingest([envelope(name, **{key: "k"}) for name in ("e1", "e2")] + [envelope("e3")], now=now)
    first, second, other = Broadcast.objects.order_by("event_id")

    fan_out.accept_next_chunk(str(second.pk), now=now)
    fan_out.accept_next_chunk(str(other.pk), now=now)
    assert [event.broadcast_id for event in Event.objects.all()] == [other.pk]
    for row in (first, second):
        fan_out.accept_next_chunk(str(row.pk), now=now)

    found = list(Event.objects.order_by("seq").values_list("broadcast_id", flat=True))
    assert found == [other.pk, first.pk, second.pk]
    states = dict(Event.objects.values_list("broadcast_id", "state"))
    assert states[first.pk] == ("superseded" if key == "collapse_key" else "accepted")
