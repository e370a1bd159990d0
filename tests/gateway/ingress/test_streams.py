"""The Redis Streams ingress: parse → commit → ack → XACK, whatever is in the stream."""

import threading

import pytest
from django.utils import timezone

from gateway.ingress.streams import BATCH, StreamIngress, connect
from notifications.models import Event, Quarantine
from notifications.states import Channel
from tests.gateway.good_events import event_message
from tests.gateway.other_ends import Stream
from tests.kit.eventually import eventually
from users.models import Destination, Source


@pytest.fixture(autouse=True)
def reachable(ann):
    return Destination.objects.create(
        user=ann, kind=Channel.EMAIL, address="ann@example.test", verified_at=timezone.now()
    )


def test_a_batch_is_committed_acked_and_taken_out_of_the_stream(stream: Stream) -> None:
    for number in range(3):
        stream.add(event_id=f"e-{number}")
    stream.drain()
    assert stream.told() == [(f"e-{number}", "QUEUED", False, "") for number in range(3)]
    assert [ack.seq for ack in stream.acks()] == [1, 2, 3]
    assert (stream.length, stream.pending) == (0, 0)
    event = Event.objects.get(event_id="e-1")
    assert (event.source.name, event.reply_to, event.state) == ("venue", "stream", "accepted")
    assert event_message().FromString(bytes(event.raw)).event_id == "e-1"


def test_more_than_one_batch_is_taken_in_order(stream: Stream) -> None:
    for number in range(BATCH + 20):
        stream.add(event_id=f"e-{number}")
    stream.drain()
    assert [ack.seq for ack in stream.acks()] == list(range(1, BATCH + 21))
    assert stream.length == 0


REFUSED = {
    "bytes that are no event": (b"\xff\xff", "invalid_protobuf", ""),
    "no bytes": (b"", "unknown_source", ""),
    "too many bytes": (b"\0" * (256 * 1024 + 1), "too_large", ""),
    "an unknown source": (event_message(source="ghost").SerializeToString(), "unknown_source", ""),
    "a source with a NUL": (event_message(source="gh\0st").SerializeToString(), "unknown_source", ""),
    "a long source": (event_message(source="x" * 100_000).SerializeToString(), "unknown_source", ""),
    "not on the stream": (event_message(source="web-only").SerializeToString(), "unknown_source", ""),
    "switched off": (event_message(source="off").SerializeToString(), "unknown_source", ""),
    "no timestamp": (
        event_message(source="venue", event_id="bad", timestamp=0).SerializeToString(),
        "missing_field",
        "venue",
    ),
    "nobody": (
        event_message(source="venue", event_id="bad", user_id="carl").SerializeToString(),
        "unknown_user",
        "venue",
    ),
    "a long type_name": (
        event_message(source="venue", event_id="bad", type_name="a" * 300).SerializeToString(),
        "invalid_type_name",
        "venue",
    ),
    "a NUL in the id": (
        event_message(source="venue", event_id="b\0d").SerializeToString(),
        "invalid_text",
        "venue",
    ),
}


@pytest.mark.parametrize(("data", "code", "source"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_kept_with_its_bytes_and_the_others_go_on(
    stream: Stream, data: bytes, code: str, source: str
) -> None:
    Source.objects.create(name="web-only")
    Source.objects.create(name="off", allow_stream=True, enabled=False)
    stream.add(event_id="before")
    entry_id = stream.add(data)
    stream.add(event_id="after")
    stream.drain()
    kept = Quarantine.objects.get()
    assert (kept.ingress, kept.entry_id, kept.code, kept.source_name) == (
        "stream",
        entry_id.decode(),
        code,
        source,
    )
    assert bytes(kept.content) == data
    assert kept.reason
    told = {ack.event_id: ack for ack in stream.acks()}
    assert {"before", "after"} <= set(told)
    assert len(told) == (3 if source else 2)
    refusals = [ack for ack in stream.acks() if ack.code]
    assert [(ack.code, ack.final) for ack in refusals] == ([(code, True)] if source else [])
    assert (stream.length, stream.pending) == (0, 0)


def test_an_entry_without_the_field_is_kept_out_and_the_others_go_on(stream: Stream) -> None:
    stream.client.xadd("tocsin:events", {"event": b"x"})
    stream.add(event_id="after")
    stream.drain()
    kept = Quarantine.objects.get()
    assert (kept.code, bytes(kept.content)) == ("missing_field", b"")
    assert stream.told() == [("after", "QUEUED", False, "")]
    assert stream.length == 0


def test_a_resend_is_a_duplicate_and_other_content_a_conflict(stream: Stream) -> None:
    at = {"event_id": "e-1", "timestamp": 1_790_000_000_000}
    stream.add(**at)
    stream.drain()
    stream.add(**at)
    stream.add(**at, payload={"other": True})
    stream.drain()
    assert stream.told() == [
        ("e-1", "QUEUED", False, ""),
        ("e-1", "QUEUED", False, ""),
        ("e-1", "ACK_ERROR", True, "conflict"),
    ]
    assert [ack.duplicate for ack in stream.acks()] == [False, True, False]
    assert Quarantine.objects.get().code == "conflict"
    assert Event.objects.count() == 1


def test_acks_go_to_each_source_by_itself(stream: Stream) -> None:
    Source.objects.create(name="other", allow_stream=True)
    stream.add(event_id="same")
    stream.add(event_id="same", source="other")
    stream.drain()
    assert len(stream.acks("venue")) == len(stream.acks("other")) == 1
    assert Event.objects.count() == 2


def test_an_informational_event_gets_its_one_ack_at_once(stream: Stream) -> None:
    stream.add(event_id="tick", delivery={"priority": "INFORMATIONAL"})
    stream.drain()
    assert stream.told() == [("tick", "ACK_ERROR", True, "no_session")]
    assert not Quarantine.objects.exists()


def test_what_a_consumer_left_is_taken_up_when_it_comes_back(stream: Stream) -> None:
    stream.add(event_id="left")
    stream.client.xreadgroup("tocsin", "one", {"tocsin:events": ">"})
    stream.drain(stream.consumer("two"))
    assert stream.told() == []
    stream.drain(stream.consumer("one"))
    assert stream.told() == [("left", "QUEUED", False, "")]
    assert stream.length == 0


def test_what_a_dead_consumer_left_is_taken_over(stream: Stream) -> None:
    stream.add(event_id="left")
    stream.client.xreadgroup("tocsin", "dead", {"tocsin:events": ">"})
    eventually(lambda: stream.client.xpending_range("tocsin:events", "tocsin", "-", "+", 1, idle=2))
    stream.drain(stream.consumer("two", idle_ms=1))
    assert stream.told() == [("left", "QUEUED", False, "")]
    assert (stream.length, stream.pending) == (0, 0)


def test_after_a_flush_the_group_comes_back_and_reads_from_the_start(stream: Stream, valkey) -> None:
    stopping = threading.Event()
    client = connect(valkey_url(valkey))
    ingress = StreamIngress(client, "one", block_ms=50)
    running = threading.Thread(target=ingress.run, args=(stopping,))
    running.start()
    try:
        stream.add(event_id="before")
        eventually(lambda: stream.told())
        valkey.flushdb()
        stream.add(event_id="after")
        eventually(lambda: stream.told() == [("after", "QUEUED", False, "")])
        assert valkey.xinfo_groups("tocsin:events")[0]["name"] == b"tocsin"
    finally:
        stopping.set()
        running.join(10)
        client.close()
    assert not running.is_alive()


def valkey_url(client) -> str:
    options = client.connection_pool.connection_kwargs
    return f"redis://:{options['password']}@{options['host']}:{options['port']}/{options['db']}"
