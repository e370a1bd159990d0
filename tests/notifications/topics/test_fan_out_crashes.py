"""A process that dies in the middle of a fan-out: who had their event has it, and the others get it."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from notifications import store
from notifications.ingest import ingest
from notifications.models import Broadcast, Delivery, Event
from notifications.states import Channel, Priority
from notifications.sweep import sweep
from notifications.topics import fan_out, subscriptions
from tests.notifications import processes
from users.models import TopicRule, TopicSubscription, User

PERSONS, CHUNK = 1_000, 300

# A worker: it does what one doorbell after the other asks for, until it crashes.
WORKER = """
import sys, django
django.setup()
from django.utils import timezone
from notifications.topics import fan_out
while fan_out.accept_next_chunk(sys.argv[1], now=timezone.now()).fan_outs:
    pass
"""
ACCEPTER = """
import sys, django
django.setup()
from notifications import store
from notifications.models import Broadcast
from django.utils import timezone
now = timezone.now()
store.broadcasts.accept([Broadcast(
    source_id=int(sys.argv[1]), event_id="e1", topic="market.BTC", event_type="CUSTOM",
    priority=1, accepted_at=now, expires_at=now, content={}, raw=b"", digest=b"d" * 32, state="accepted",
    ring_at=now)])
"""


def run(program: str, *args: str, crash: str) -> int:
    return processes.run(program, *args, crash=crash, TOCSIN_FAN_OUT_CHUNK=str(CHUNK))


@pytest.fixture
def thousand(transactional_db, desk, now: datetime) -> list[User]:
    """People with a mailbox each, who follow the topic."""
    TopicRule.objects.create(prefix="market.", audience="everybody")
    people = User.objects.bulk_create(
        User(username=f"p{number}", external_id=f"p{number}") for number in range(PERSONS)
    )
    TopicSubscription.objects.bulk_create(
        TopicSubscription(person=person, topic="market.BTC", created_at=now) for person in people
    )
    for person in people[::100]:
        desk.address(person, Channel.EMAIL)
    return people


@pytest.fixture
def broadcast(desk, thousand, doorbells, now) -> Broadcast:
    grant = replace(desk.grant, topic_prefixes=("market.",))
    envelope = desk.envelope("", "e1", topic="market.BTC", source=grant, priority=Priority.CRITICAL)
    [ack] = ingest([envelope], now=now)
    assert ack.status == "QUEUED"
    doorbells.take()
    return Broadcast.objects.get()


@pytest.mark.parametrize(
    ("crash", "told"),
    [
        ("accept_before_commit:2", 300),  # in the middle of the second chunk: nothing of it
        ("fan_out_after_accept:2", 600),
        ("fan_out_before_advance:2", 600),
        ("fan_out_before_advance:4", 1_000),  # everybody has it, and nobody has noted that
    ],
)
def test_a_fan_out_that_was_cut_off_goes_on_and_nobody_gets_it_twice(
    broadcast, thousand, override, now, crash: str, told: int
) -> None:
    assert run(WORKER, str(broadcast.pk), crash=crash) == 137
    assert Event.objects.count() == told
    had = dict(Event.objects.values_list("person_id", "pk"))
    [left] = sweep(now=now + timedelta(minutes=5)).fan_outs
    assert left.broadcast_pk == str(broadcast.pk)
    override(fan_out_chunk=CHUNK)
    effects = fan_out.accept_next_chunk(left.broadcast_pk, now=now)
    while effects.fan_outs:
        effects = fan_out.accept_next_chunk(left.broadcast_pk, now=now)
    events = Event.objects.values_list("person_id", "pk", "seq")
    assert sorted(person for person, _, _ in events) == sorted(person.pk for person in thousand)
    assert {seq for _, _, seq in events} == {1}
    assert had.items() <= {(person, pk) for person, pk, _ in events}
    # Who can be reached is due, whatever was not rung: the sweep finds it.
    assert Delivery.objects.filter(ring_at__isnull=False).count() == PERSONS // 100
    broadcast.refresh_from_db()
    assert broadcast.told_at is not None


def test_a_crash_before_the_commit_has_accepted_nothing(thousand, desk) -> None:
    assert run(ACCEPTER, str(desk.source.pk), crash="broadcast_before_commit") == 137
    assert not Broadcast.objects.exists()


def test_two_workers_at_the_same_broadcast_tell_everybody_once(
    broadcast, side_by_side, override, now
) -> None:
    override(fan_out_chunk=CHUNK)

    def work() -> None:
        while fan_out.accept_next_chunk(str(broadcast.pk), now=now).fan_outs:
            pass

    side_by_side(work, work, work)
    assert Event.objects.count() == Event.objects.values("person").distinct().count() == PERSONS
    assert store.broadcasts.counts(broadcast.pk) == {
        "accepted": PERSONS // 100,
        "failed": PERSONS * 99 // 100,
    }
    assert subscriptions.audience("market.BTC", before=now, limit=1)
