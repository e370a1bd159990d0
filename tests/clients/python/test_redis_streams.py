"""Redis Streams against a real Valkey, with acks written as the service writes them."""

import os
import time
from collections.abc import Iterator

import pytest
import redis
from tocsin import EventPublisher
from tocsin.transports.redis_streams import EVENTS

from proto.tocsin.v1 import user_events_pb2 as service
from tests.kit.eventually import eventually

SOURCE = "shop"
ACKS = f"tocsin:acks:{SOURCE}"


@pytest.fixture
def valkey() -> Iterator["redis.Redis"]:
    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    client.delete(EVENTS, ACKS)
    yield client
    client.delete(EVENTS, ACKS)
    client.close()


@pytest.fixture(params=["", "?acks=group"])
def publisher(valkey, journal, request) -> Iterator[EventPublisher]:
    made = EventPublisher(os.environ["REDIS_URL"] + request.param, source=SOURCE, journal=journal)
    yield made
    made.close(0)


def add_ack(valkey: "redis.Redis", event_id: str, **fields: object) -> None:
    given = {"at": int(time.time() * 1000), "seq": 1} | fields
    valkey.xadd(ACKS, {"a": service.EventAck(event_id=event_id, **given).SerializeToString()})


def entries(valkey: "redis.Redis") -> list[service.UserEvent]:
    return [service.UserEvent.FromString(fields[b"e"]) for _, fields in valkey.xrange(EVENTS)]


def test_events_go_to_the_stream_and_acks_come_back(valkey, publisher) -> None:
    published = publisher.critical("alice", "ORDER_FILLED", {"n": 1})
    eventually(lambda: entries(valkey))
    (event,) = entries(valkey)
    assert (event.source, event.event_id, event.payload) == (SOURCE, published.event_id, b'{"n":1}')
    add_ack(valkey, "of another producer", status=service.DELIVERED, final=True)
    add_ack(valkey, published.event_id, status=service.QUEUED)
    eventually(lambda: publisher.status().accepted == 1)
    add_ack(valkey, published.event_id, status=service.ACK_ERROR, final=True, code="no_channel")
    assert published.wait_final(5).code == "no_channel"


def test_an_overloaded_service_is_asked_again(valkey, publisher) -> None:
    published = publisher.critical("alice", "ORDER_FILLED")
    eventually(lambda: entries(valkey))
    add_ack(valkey, published.event_id, status=service.ACK_ERROR, final=True, code="overloaded", seq=0)
    journal = publisher._engine().journal
    eventually(lambda: journal.find(published.event_id).tries == 2)  # it was sent, and is to be sent again
    assert published.final is None


def test_the_acks_of_a_redis_that_lost_its_data_are_read(valkey, publisher) -> None:
    first = publisher.critical("alice", "ORDER_FILLED")
    eventually(lambda: entries(valkey))
    add_ack(valkey, first.event_id, status=service.DELIVERED, final=True)
    first.wait_final(5)
    valkey.delete(EVENTS, ACKS)
    second = publisher.critical("alice", "ORDER_FILLED")
    eventually(lambda: entries(valkey))
    add_ack(valkey, second.event_id, status=service.DELIVERED, final=True)
    assert second.wait_final(5).delivered
