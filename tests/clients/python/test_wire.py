"""The client's copy of the wire contract beside the service's, in one process."""

import json

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from tocsin import Event, wire
from tocsin.acks import from_json
from tocsin.wire import user_events_pb2 as client

from gateway.codec import events as codec
from gateway.codec.acks import ack_to_json, ack_to_protobuf
from notifications.events import Ack, ChannelOutcome, SourceGrant
from notifications.states import AckStatus, Channel, Evidence
from proto.tocsin.v1 import user_events_pb2 as service
from runtime.postgres import clock


def schema(module) -> str:
    """Return what a module was generated from, without its name and its package."""
    proto = FileDescriptorProto()
    module.DESCRIPTOR.CopyToProto(proto)
    text = str(proto).replace(proto.package + ".", "").replace(proto.name, "")
    return text.replace(f'package: "{proto.package}"', "")


def test_the_clients_copy_is_of_the_same_schema() -> None:
    assert len(schema(client)) > 5_000
    assert schema(client) == schema(service), "run `make client-proto`"


EVENT = Event(
    user_id="alice",
    event_type="order.shipped",
    payload={"ref": "ü", "amount": 1.5, "nested": {"list": [1, None, True]}},
    priority="CRITICAL",
    channels=["EMAIL", {"channel": "TELEGRAM", "only_if_active": True}],
    content={
        "title": "Out",
        "body": "*now*",
        "actions": [{"label": "See", "url": "https://a.example", "kind": "link"}],
    },
    recipient={"name": "Alice", "addresses": [{"channel": "EMAIL", "address": "a@b.example"}]},
    metadata={"trace": "1"},
    expires_at=4_000_000_000_000,
    ordering_key="o",
    collapse_key="c",
    version=3,
    correlation_id="x",
    ack_timeout_ms=2_000,
    schema_version=2,
)


@pytest.mark.parametrize("event", [EVENT, Event(topic="market.btc", event_type="ORDER_PLACED")])
def test_an_event_is_the_same_over_http_and_over_the_stream(event) -> None:
    text = event.filled(now_ms=1_795_248_734_000).to_text()
    grant = SourceGrant(name="demo", id=1, topic_prefixes=("market",), may_create_people=True)
    by_json = codec.from_json(json.loads(text), grant)
    by_stream = codec.from_protobuf(wire.event_bytes(text, source="demo"), grant)
    assert by_json.digest == by_stream.digest
    assert by_json.event_type == event.event_type


def test_an_ack_is_the_same_over_http_and_over_the_stream() -> None:
    given = Ack(
        "e1",
        AckStatus.DELIVERED,
        final=True,
        at=clock.now(),
        delivered_via=Channel.TELEGRAM,
        evidence=Evidence.TRANSPORT,
        seq=7,
        outcomes=(ChannelOutcome(Channel.WEB, "skipped", "no_session"),),
        counts={"accepted": 2},
    )
    assert from_json(ack_to_json(given)) == wire.ack_from(ack_to_protobuf(given))


def test_an_empty_ack_is_none() -> None:
    with pytest.raises(ValueError, match="DELIVERED"):
        wire.ack_from(b"")
