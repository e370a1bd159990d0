"""What the codec makes of a good event, in either encoding."""

import json

import pytest

from gateway.codec import events
from notifications.events import ChannelChoice
from notifications.states import Channel, Priority
from proto.tocsin.v1 import user_events_pb2 as wire
from tests.gateway.good_events import GRANT, event_json, event_message

FULL = {
    "event_id": "e-1",
    "event_type": "POSITION_LIQUIDATED",
    "payload": {"symbol": "BTC_USDT", "size": "0.5", "note": "Größe", "levels": [1, 2.5, None, True]},
    "delivery": {
        "priority": "CRITICAL",
        "channels": [{"channel": "ACTIVE_SESSION"}, {"channel": "TELEGRAM", "only_if_active": True}],
    },
    "schema_version": 2,
    "expires_at": 4_000_000_000_000,
    "collapse_key": "p-7",
    "ordering_key": "p",
    "version": 3,
    "metadata": {"region": "eu", "build": "7"},
    "correlation_id": "c-1",
    "ack_timeout_ms": 2_500,
}


def test_json_and_protobuf_of_one_event_give_one_envelope() -> None:
    message = event_message(**FULL, timestamp=1_734_533_790_000)
    by_json = events.from_json(event_json(**FULL, timestamp=1_734_533_790_000), GRANT)
    by_protobuf = events.from_protobuf(message.SerializeToString(), GRANT)
    fields = [name for name in by_json.__slots__ if name != "raw"]
    assert [getattr(by_json, name) for name in fields] == [getattr(by_protobuf, name) for name in fields]
    assert len(by_json.digest) == 32
    assert by_json.channels == (
        ChannelChoice(Channel.ACTIVE_SESSION),
        ChannelChoice(Channel.TELEGRAM, only_if_active=True),
    )
    assert by_json.priority is Priority.CRITICAL
    assert by_protobuf.raw == message.SerializeToString()


def test_the_smallest_event_is_the_same_in_both_encodings() -> None:
    small = {"event_id": "e-1", "timestamp": 1_734_533_790_000, "payload": ..., "delivery": ...}
    by_json = events.from_json(event_json(**small), GRANT)
    by_protobuf = events.from_message(event_message(**small), GRANT)
    assert by_json.digest == by_protobuf.digest
    assert by_json.priority is by_protobuf.priority is Priority.NORMAL


TO_A_TOPIC = FULL | {"user_id": "", "topic": "market.BTC", "type_name": "norm.swap_demand"}
SMALL = {"event_id": "e-1", "payload": ..., "delivery": ...}


@pytest.mark.parametrize(
    ("event", "digest"),
    [
        (FULL, "90401475e5babc72a3ae4393e2182cf20ec34ca0ddb498f01bc11c6a590d6779"),
        (TO_A_TOPIC, "8812b11d826df3375cd24d39f622a2d1d2c2fdbc99d0435807eaac69ecd1d9f2"),
        (SMALL, "90cfac67171d8e7a2294eec36340e91ee38a93195d66355b1d82087d802936e2"),
    ],
    ids=["full", "topic", "small"],
)
def test_the_digest_of_an_event_stays_the_same_in_every_release(event: dict, digest: str) -> None:
    """A stored digest decides whether a repeated event is a duplicate or a conflict."""
    event = {**event, "timestamp": 1_734_533_790_000}
    message = event_message(**event).SerializeToString()
    assert events.from_json(event_json(**event), GRANT).digest.hex() == digest
    assert events.from_protobuf(message, GRANT).digest.hex() == digest


@pytest.mark.parametrize(
    "same",
    [
        {"event_type": 23},
        {"metadata": {"build": "7", "region": "eu"}},
        {"topic": ""},
        {"topic": None},
        {"source": "somebody else"},
        {
            "delivery": {
                "priority": 2,
                "channels": ["ACTIVE_SESSION", {"channel": 2, "only_if_active": True}],
            }
        },
    ],
)
def test_another_spelling_has_the_same_digest(same: dict) -> None:
    event = event_json(**FULL)
    assert events.from_json(event | same, GRANT).digest == events.from_json(event, GRANT).digest


@pytest.mark.parametrize("name", [*FULL, "user_id", "timestamp"])
def test_other_content_has_another_digest(name: str) -> None:
    other = {
        "event_id": "e-2",
        "user_id": "bob",
        "timestamp": 1_734_533_790_001,
        "event_type": "ORDER_FILLED",
        "payload": {},
        "delivery": {"priority": "NORMAL"},
        "metadata": {},
    }
    event = event_json(**FULL)
    changed = event | {name: other.get(name, 9 if isinstance(FULL.get(name), int) else "other")}
    if name == "expires_at":
        changed["expires_at"] = 4_000_000_000_001
    assert events.from_json(changed, GRANT).digest != events.from_json(event, GRANT).digest


def test_numbers_of_a_newer_schema_are_kept() -> None:
    message = event_message()
    message.event_type = 777  # type: ignore[assignment]
    message.delivery.priority = 9  # type: ignore[assignment]
    message.delivery.channels.add(channel=55)  # type: ignore[arg-type]
    message.delivery.channels.add(channel=wire.EMAIL)
    envelope = events.from_protobuf(message.SerializeToString(), GRANT)
    assert envelope.event_type == "custom.777"
    assert envelope.priority is Priority.NORMAL
    assert envelope.channels == (ChannelChoice(Channel.EMAIL),)
    assert events.from_json(event_json(event_type=777), GRANT).event_type == "custom.777"


def test_a_negative_event_type_is_custom() -> None:
    message = event_message()
    message.event_type = -5  # type: ignore[assignment]
    assert events.from_message(message, GRANT).event_type == "CUSTOM"


def test_an_absent_delivery_is_normal_and_a_present_one_is_what_it_says() -> None:
    message = event_message(delivery=...)
    assert events.from_message(message, GRANT).priority is Priority.NORMAL
    message.delivery.SetInParent()
    assert events.from_message(message, GRANT).priority is Priority.INFORMATIONAL


def test_a_type_of_ones_own_wins_over_the_number() -> None:
    message = event_message(event_type="CUSTOM", type_name="norm.swap_demand")
    assert events.from_message(message, GRANT).event_type == "norm.swap_demand"
    event = event_json(event_type="CUSTOM", type_name="norm.swap_demand")
    assert events.from_json(event, GRANT).event_type == "norm.swap_demand"


def test_the_authenticated_source_wins() -> None:
    message = event_message()
    message.source = "somebody-else"
    assert events.from_message(message, GRANT).source is GRANT


def test_the_bytes_are_kept_as_they_came() -> None:
    event = event_json()
    body = json.dumps(event, indent=3).encode()
    assert events.from_json(event, GRANT, raw=body).raw == body
    assert json.loads(events.from_json(event, GRANT).raw) == event
