"""Final acks that Redis lost: sent again, unless their producer has acknowledged them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from gateway.ingress import reply_reads
from gateway.ingress.replies import send_broadcasts_due, send_due
from notifications.models import Broadcast, Event
from tests.gateway.other_ends import Stream

ACKS = "tocsin:acks:venue"
clock = timezone.now


class Reader:
    """A producer that reads its acks as docs/streams.md says."""

    def __init__(self, stream: Stream) -> None:
        self.client = stream.client
        self.finals: list[str] = []

    def read(self, *, acknowledging: bool = True) -> None:
        from proto.tocsin.v1 import user_events_pb2 as wire

        if not self.client.exists(ACKS) or not self.client.xinfo_groups(ACKS):
            self.client.xgroup_create(ACKS, "producer", id="0", mkstream=True)
        for _, entries in self.client.xreadgroup("producer", "one", {ACKS: ">"}):
            acks = [wire.EventAck.FromString(fields[b"a"]) for _, fields in entries]
            if acknowledging:
                self.finals += [ack.event_id for ack in acks if ack.final]
                self.client.xack(ACKS, "producer", *[entry_id for entry_id, _ in entries])


@pytest.fixture
def ended(stream: Stream):
    """Return a function that has events accepted and ended, and their final acks sent."""

    def ended(*ids: str) -> None:
        for event_id in ids:
            stream.add(event_id=event_id)
        stream.drain()
        assert send_due(stream.client, clock=clock) == len(ids)

    reply_reads.send_lost_again(stream.client, clock=clock)
    return ended


def recovered(stream: Stream) -> int:
    """Let the outbox find the loss; return how many acks it sends again."""
    assert reply_reads.has_lost(stream.client)
    reply_reads.send_lost_again(stream.client, clock=clock)
    assert not reply_reads.has_lost(stream.client)
    return send_due(stream.client, clock=clock)


def test_after_a_loss_each_event_has_exactly_one_final_ack(stream: Stream, ended) -> None:
    reader = Reader(stream)
    ended("read-1", "read-2")
    reader.read()
    reply_reads.note_read(stream.client, clock=clock)
    ended("unread-1", "unread-2")
    stream.client.flushall()
    assert recovered(stream) == 2
    reader.read()
    assert sorted(reader.finals) == ["read-1", "read-2", "unread-1", "unread-2"]
    reply_reads.note_read(stream.client, clock=clock)
    stream.client.flushall()
    assert recovered(stream) == 0


def test_what_was_read_and_not_acknowledged_is_sent_again(stream: Stream, ended) -> None:
    reader = Reader(stream)
    ended("e-1")
    reader.read(acknowledging=False)
    reply_reads.note_read(stream.client, clock=clock)
    assert Event.objects.get().reply_read_at is None
    stream.client.flushall()
    assert recovered(stream) == 1


def test_acknowledged_acks_leave_the_stream_and_others_stay(stream: Stream, ended) -> None:
    reader = Reader(stream)
    ended("e-1")
    reader.read()
    ended("e-2")
    reply_reads.note_read(stream.client, clock=clock)
    assert [ack.event_id for ack in stream.acks() if ack.final] == ["e-2"]


def test_only_what_the_stream_no_longer_has_is_sent_again(stream: Stream, ended) -> None:
    """A server that comes back without its last second has lost the newest entries alone."""
    ended("kept")
    ended("lost")
    stream.client.xdel(ACKS, stream.client.xrevrange(ACKS, count=1)[0][0])
    assert reply_reads.send_lost_again(stream.client, clock=clock) == 1
    assert send_due(stream.client, clock=clock) == 1
    finals = [ack.event_id for ack in stream.acks() if ack.final]
    assert sorted(finals) == ["kept", "lost"]


def test_acks_of_long_ago_are_not_sent_again(stream: Stream, ended) -> None:
    ended("e-1")
    Event.objects.update(replied_at=timezone.now() - timedelta(days=2))
    stream.client.flushall()
    assert recovered(stream) == 0


def test_a_replays_final_ack_is_another_one(stream: Stream, ended) -> None:
    reader = Reader(stream)
    ended("e-1")
    reader.read()
    reply_reads.note_read(stream.client, clock=clock)
    Event.objects.update(replied_at=None)  # as a replay does
    assert send_due(stream.client, clock=clock) == 1
    stream.client.flushall()
    assert recovered(stream) == 1


def test_an_event_to_a_topic_is_no_exception(stream: Stream, venue) -> None:
    venue.topic_prefixes = ["market."]
    venue.save()
    reply_reads.send_lost_again(stream.client, clock=clock)
    stream.add(event_id="t-1", user_id=..., topic="market.btc")
    stream.drain()
    assert send_broadcasts_due(stream.client, clock=clock) == 1
    stream.client.flushall()
    assert reply_reads.send_lost_again(stream.client, clock=clock) == 1
    assert send_broadcasts_due(stream.client, clock=clock) == 1
    Reader(stream).read()
    reply_reads.note_read(stream.client, clock=clock)
    assert Broadcast.objects.get().reply_read_at
