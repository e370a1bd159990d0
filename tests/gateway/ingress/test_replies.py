"""Final acks on the reply streams: one for each event, from Postgres, whatever ended it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from gateway.ingress.replies import send_due
from notifications import acks
from notifications.models import Event
from notifications.states import Channel
from proto.tocsin.v1 import user_events_pb2 as wire
from tests.gateway.good_events import event_json
from tests.gateway.other_ends import Stream
from users.models import Destination

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)


@pytest.fixture
def reachable(ann):
    return Destination.objects.create(
        user=ann, kind=Channel.EMAIL, address="ann@example.test", verified_at=timezone.now()
    )


def clock() -> datetime:
    return NOW


def test_there_is_exactly_one_final_ack(stream: Stream, reachable, ann) -> None:
    for number in range(3):
        stream.add(event_id=f"e-{number}")
    stream.drain()
    assert send_due(stream.client, clock=clock) == 0
    acks.confirm([(ann.pk, "e-0"), (ann.pk, "e-2")], now=timezone.now())
    assert send_due(stream.client, clock=clock) == 2
    assert send_due(stream.client, clock=clock) == 0
    final = [ack for ack in stream.acks() if ack.final]
    assert sorted(ack.event_id for ack in final) == ["e-0", "e-2"]
    for ack in final:
        assert (ack.status, ack.delivered_via) == (wire.DELIVERED, wire.WEB)
        assert (ack.evidence, ack.duplicate) == (wire.EVIDENCE_CLIENT, False)
    assert set(Event.objects.filter(final_at__isnull=False).values_list("replied_at", flat=True)) == {NOW}


def test_an_event_that_ended_at_once_gets_its_final_ack_here_and_nowhere_else(stream: Stream) -> None:
    stream.add(event_id="e-1")
    stream.drain()
    assert stream.told() == []
    assert send_due(stream.client, clock=clock) == 1
    assert stream.told() == [("e-1", "ACK_ERROR", True, "no_channel")]
    outcomes = [(item.channel, item.state) for item in stream.acks()[0].outcomes]
    assert (wire.WEB, "skipped") in outcomes


def test_events_of_other_ingresses_are_not_answered_here(stream: Stream, venue, ann) -> None:
    from gateway.auth.bearer import grant_of
    from gateway.codec import events
    from notifications.ingest import ingest

    ingest([events.from_json(event_json(), grant_of(venue))], now=timezone.now())
    assert Event.objects.get().final_at
    assert send_due(stream.client, clock=clock) == 0


def test_what_could_not_be_written_stays_due(stream: Stream) -> None:
    stream.add(event_id="e-1")
    stream.drain()
    stream.client.set("tocsin:acks:venue", "not a stream")
    with pytest.raises(Exception, match="WRONGTYPE"):
        send_due(stream.client, clock=clock)
    assert Event.objects.get().replied_at is None
    stream.client.delete("tocsin:acks:venue")
    assert send_due(stream.client, clock=lambda: NOW + timedelta(seconds=1)) == 1
    assert len(stream.acks()) == 1
