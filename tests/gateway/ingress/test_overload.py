"""What producers are answered while too much is waiting."""

from dataclasses import replace

import pytest
from django.utils import timezone
from redis.exceptions import OutOfMemoryError

from notifications.models import Event, Quarantine
from notifications.operations import overload
from notifications.settings import pipeline_settings
from notifications.states import Channel
from proto.tocsin.v1 import user_events_pb2 as wire
from runtime.redis.client import client
from tests.gateway.good_events import event_json, event_message
from tests.gateway.other_ends import Producer, Stream
from tests.kit.eventually import eventually
from users.models import Destination

CRITICAL = {"priority": "CRITICAL"}


@pytest.fixture(autouse=True)
def reachable(ann):
    return Destination.objects.create(
        user=ann, kind=Channel.EMAIL, address="ann@example.test", verified_at=timezone.now()
    )


@pytest.fixture
def overloaded(producer: Producer):
    client().set(overload.KEY, pipeline_settings().open_rows_max + 1)
    overload.open_rows.read()
    yield
    client().delete(overload.KEY)
    overload.open_rows.read()
    eventually(lambda: producer.publish().status_code == 202, within_s=10)  # others use this server too


def test_a_normal_event_is_answered_503_with_a_time_to_come_back(producer: Producer, overloaded) -> None:
    eventually(lambda: producer.publish().status_code == 503, within_s=10)
    answer = producer.publish(event_id="n")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "15")
    assert (answer.json()["code"], answer.json()["event_id"]) == ("overloaded", "n")
    answer = producer.post_protobuf("/events", event_message().SerializeToString())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "15")
    assert wire.EventAck.FromString(answer.content).code == "overloaded"


def test_a_critical_event_is_accepted_as_before(producer: Producer, overloaded) -> None:
    eventually(lambda: producer.publish().status_code == 503, within_s=10)
    assert producer.publish(event_id="urgent", delivery=CRITICAL).status_code == 202
    assert Event.objects.get(event_id="urgent").state == "accepted"


def test_a_batch_says_for_each_event_whether_to_send_it_again(producer: Producer, overloaded) -> None:
    eventually(lambda: producer.publish().status_code == 503, within_s=10)
    normal, urgent = event_json(event_id="n"), event_json(event_id="c", delivery=CRITICAL)
    answer = producer.post("/events/batch", json={"events": [normal, urgent]})
    assert (answer.status_code, answer.headers["Retry-After"]) == (200, "15")
    assert [ack["code"] for ack in answer.json()["acks"]] == ["overloaded", ""]
    answer = producer.post("/events/batch", json={"events": [normal]})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "15")


def test_an_event_from_the_stream_is_answered_and_not_kept(stream: Stream, overloaded) -> None:
    stream.add(event_id="n")
    stream.drain()
    assert stream.told() == [("n", "ACK_ERROR", True, "overloaded")]
    assert (stream.length, stream.pending) == (0, 0)
    assert not Quarantine.objects.exists()


@pytest.fixture
def memory(stream: Stream):
    """Let Redis have no more than so many times the memory that it uses now."""

    def memory(times: float) -> None:
        used = stream.client.info("memory")["used_memory"]
        stream.client.config_set("maxmemory", int(used * times))

    before = stream.client.config_get("maxmemory")["maxmemory"]
    yield memory
    stream.client.config_set("maxmemory", before)


def test_while_redis_is_nearly_full_the_stream_keeps_critical_events_alone(stream: Stream, memory) -> None:
    stream.add(event_id="n")
    stream.add(event_id="c", delivery={"priority": wire.CRITICAL})
    memory(1.2)
    stream.drain()
    assert [(event_id, code) for event_id, _, _, code in stream.told()] == [("n", "overloaded"), ("c", "")]


def test_a_full_redis_gets_room_from_what_is_sent_again_anyway(stream: Stream, memory) -> None:
    stream.add(event_id="n")
    stream.add(event_id="c", delivery={"priority": wire.CRITICAL})
    memory(0.5)
    with pytest.raises(OutOfMemoryError):
        stream.drain()
    assert (stream.length, stream.told()) == (1, [])
    memory(10)
    stream.drain()
    assert [event_id for event_id, *_ in stream.told()] == ["c"]
    assert Event.objects.get().event_id == "c"


def test_a_stream_over_its_bound_keeps_critical_events_alone(stream: Stream, settings) -> None:
    settings.TOCSIN_EDGE = replace(settings.TOCSIN_EDGE, stream_max=2)
    for number in range(3):
        stream.add(event_id=f"n{number}")
    stream.add(event_id="c", delivery={"priority": wire.CRITICAL})
    stream.drain()
    assert [(event_id, code) for event_id, _, _, code in stream.told()] == [
        ("n0", "overloaded"),
        ("n1", "overloaded"),
        ("n2", "overloaded"),
        ("c", ""),
    ]
    stream.add(event_id="n0")
    stream.drain()
    assert stream.told()[-1][:2] == ("n0", "QUEUED")
    assert {event.event_id for event in Event.objects.all()} == {"c", "n0"}


def test_redis_is_asked_for_its_load_once_a_second_and_not_for_every_batch(stream: Stream) -> None:
    def calls() -> int:
        return client().info("commandstats").get("cmdstat_xlen", {"calls": 0})["calls"]

    consumer = stream.consumer(load_every_s=1.0)
    before = calls()
    for number in range(20):
        stream.add(event_id=f"e{number}")
        stream.drain(consumer)
    assert calls() - before < 10
