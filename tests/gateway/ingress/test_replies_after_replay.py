"""The reply stream after a replay: one final ack for each acceptance."""

import os
import uuid
from datetime import timedelta

import pytest
import redis
from django.utils import timezone

from gateway.ingress import replies
from gateway.ingress.streams import acks_stream
from notifications import store
from notifications.models import Delivery
from notifications.operations.replay import Operator, replay
from notifications.operations.search import EventFilter
from notifications.states import FailureKind, Surface
from proto.tocsin.v1 import user_events_pb2 as wire
from users.models import Destination, Source, User

ME = Operator(Surface.COMMAND, "tests")


@pytest.fixture
def broker():
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        yield client


@pytest.fixture
def dead(db) -> str:
    """A dead letter that came over the stream of a source of its own. Returns the source's name."""
    from notifications.events import Envelope, SourceGrant
    from notifications.ingest import ingest
    from notifications.states import Priority

    name = f"desk-{uuid.uuid4().hex[:8]}"
    source = Source.objects.create(name=name, allow_stream=True)
    person = User.objects.create_user("carl", external_id="carl")
    Destination.objects.create(user=person, kind=3, address="carl@example.org", verified_at=timezone.now())
    now = timezone.now()
    grant = SourceGrant(source.pk, name)
    at_ms = round(now.timestamp() * 1000)
    ingest(
        [Envelope(grant, "e1", "carl", "ORDER_FILLED", at_ms, Priority.NORMAL, {}, b"d", reply_to="stream")],
        now=now,
    )
    fail()
    return name


def fail() -> None:
    [row] = Delivery.objects.filter(ring_at__isnull=False)
    store.give_up(
        [str(row.pk)],
        now=timezone.now(),
        kind=FailureKind.TEMPORARY,
        error="tries used up",
    )


def test_each_acceptance_ends_with_one_final_ack(broker, dead) -> None:
    def told() -> list[tuple[str, bool, str]]:
        while replies.send_due(broker, clock=timezone.now):
            pass
        acks = [wire.EventAck.FromString(fields[b"a"]) for _, fields in broker.xrange(acks_stream(dead))]
        return [(ack.event_id, ack.final, ack.code) for ack in acks]

    final = ("e1", True, "temporary")
    assert told() == [final]
    done = replay(EventFilter(), by=ME, now=timezone.now() + timedelta(seconds=1))
    assert done.count == 1
    assert told() == [final]
    fail()
    assert told() == [final] * 2
    assert told() == [final] * 2
