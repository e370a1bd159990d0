"""Every documented limit of an event, with the code and the field that a producer is told."""

import json
import time

import pytest

from gateway.codec import events, limits
from gateway.codec.limits import InvalidEvent
from tests.gateway.good_events import GRANT, event_json, event_message

DEEP: dict = {}
for _ in range(16):
    DEEP = {"in": DEEP}

# name: what is changed in a good JSON event, the code, the field
REFUSED_JSON = {
    "no event_id": ({"event_id": ...}, "missing_field", "event_id"),
    "an empty event_id": ({"event_id": ""}, "missing_field", "event_id"),
    "a null event_id": ({"event_id": None}, "missing_field", "event_id"),
    "a number as event_id": ({"event_id": 7}, "not_a_string", "event_id"),
    "false as event_id": ({"event_id": False}, "not_a_string", "event_id"),
    "a long event_id": ({"event_id": "e" * 201}, "too_long", "event_id"),
    "a NUL in event_id": ({"event_id": "a\0b"}, "invalid_text", "event_id"),
    "a lone surrogate": ({"event_id": "a\ud800"}, "invalid_text", "event_id"),
    "nobody": ({"user_id": ...}, "missing_field", "user_id"),
    "user_id and topic": ({"topic": "market.BTC"}, "missing_field", "user_id"),
    "a long user_id": ({"user_id": "u" * 129}, "too_long", "user_id"),
    "no timestamp": ({"timestamp": ...}, "missing_field", "timestamp"),
    "timestamp 0": ({"timestamp": 0}, "missing_field", "timestamp"),
    "a negative timestamp": ({"timestamp": -1}, "out_of_range", "timestamp"),
    "seconds": ({"timestamp": int(time.time())}, "out_of_range", "timestamp"),
    "the year 10000": ({"timestamp": 253_402_300_800_000}, "out_of_range", "timestamp"),
    "a boolean timestamp": ({"timestamp": True}, "not_an_integer", "timestamp"),
    "a false timestamp": ({"timestamp": False}, "not_an_integer", "timestamp"),
    "a timestamp as text": ({"timestamp": "1734533790000"}, "not_an_integer", "timestamp"),
    "a timestamp with a fraction": ({"timestamp": 1734533790000.5}, "not_an_integer", "timestamp"),
    "no event_type": ({"event_type": ...}, "missing_field", "event_type"),
    "an unknown event_type": ({"event_type": "ORDER_FILED"}, "unknown_event_type", "event_type"),
    "a boolean event_type": ({"event_type": True}, "unknown_event_type", "event_type"),
    "an event_type no enum can hold": ({"event_type": 10**200}, "out_of_range", "event_type"),
    "an upper case type_name": ({"type_name": "Order"}, "invalid_type_name", "type_name"),
    "a type_name with spaces": ({"type_name": "norm swap"}, "invalid_type_name", "type_name"),
    "a long type_name": ({"type_name": "a" * 101}, "invalid_type_name", "type_name"),
    "a number as type_name": ({"type_name": 0}, "invalid_type_name", "type_name"),
    "a type_name with a line end": ({"type_name": "a.b\n"}, "invalid_type_name", "type_name"),
    "an unknown priority": ({"delivery": {"priority": "URGENT"}}, "unknown_value", "delivery.priority"),
    "a boolean priority": ({"delivery": {"priority": True}}, "unknown_value", "delivery.priority"),
    "priority 3": ({"delivery": {"priority": 3}}, "unknown_value", "delivery.priority"),
    "an unknown channel": ({"delivery": {"channels": ["FAX"]}}, "unknown_value", "delivery.channels[0]"),
    "an unknown channel in an object": (
        {"delivery": {"channels": ["WEB", {"channel": 99}]}},
        "unknown_value",
        "delivery.channels[1].channel",
    ),
    "an unknown key in a channel": (
        {"delivery": {"channels": [{"channel": "WEB", "to": "x"}]}},
        "invalid_delivery",
        "delivery.channels[0]",
    ),
    "only_if_active as text": (
        {"delivery": {"channels": [{"channel": "WEB", "only_if_active": "yes"}]}},
        "invalid_delivery",
        "delivery.channels[0].only_if_active",
    ),
    "too many channels": ({"delivery": {"channels": ["WEB"] * 17}}, "invalid_delivery", "delivery.channels"),
    "channels that are false": ({"delivery": {"channels": False}}, "invalid_delivery", "delivery.channels"),
    "a delivery that is a list": ({"delivery": []}, "invalid_delivery", "delivery"),
    "an unknown key in delivery": ({"delivery": {"prio": 1}}, "invalid_delivery", "delivery"),
    "an unknown field": ({"colour": "red"}, "unknown_field", "colour"),
    "priority at the top": ({"priority": "CRITICAL"}, "unknown_field", "priority"),
    "a payload that is a list": ({"payload": []}, "payload_not_object", "payload"),
    "a payload that is text": ({"payload": "{}"}, "payload_not_object", "payload"),
    "a payload too deep": ({"payload": DEEP}, "payload_too_deep", "payload" + ".in" * 16),
    "a list too deep": ({"payload": {"a": json.loads("[" * 40 + "]" * 40)}}, "payload_too_deep", None),
    "too many keys": (
        {"payload": {str(number): number for number in range(257)}},
        "payload_too_many_keys",
        "payload",
    ),
    "a long string": ({"payload": {"note": "x" * (16 * 1024 + 1)}}, "too_long", "payload.note"),
    "a long string in bytes": ({"payload": {"note": "é" * (8 * 1024 + 1)}}, "too_long", "payload.note"),
    "a long key": ({"payload": {"x" * (16 * 1024 + 1): 1}}, "too_long", "payload"),
    "NaN": ({"payload": {"price": float("nan")}}, "invalid_number", "payload.price"),
    "a number out of bounds": ({"payload": {"price": [1e999]}}, "invalid_number", "payload.price[0]"),
    "a NUL in the payload": ({"payload": {"note": "a\0"}}, "invalid_text", "payload.note"),
    "a NUL in a key": ({"payload": {"a\0": 1}}, "invalid_text", "payload"),
    "a surrogate in the payload": ({"payload": {"note": "\udfff"}}, "invalid_text", "payload.note"),
    "metadata that are a list": ({"metadata": []}, "invalid_metadata", "metadata"),
    "metadata that are no strings": ({"metadata": {"try": 1}}, "invalid_metadata", "metadata.try"),
    "too much metadata": (
        {"metadata": {str(number): "" for number in range(65)}},
        "invalid_metadata",
        "metadata",
    ),
    "long metadata": ({"metadata": {"note": "x" * 1_001}}, "too_long", "metadata.note"),
    "a NUL in metadata": ({"metadata": {"note": "\0"}}, "invalid_text", "metadata.note"),
    "a boolean version": ({"version": True}, "not_an_integer", "version"),
    "a false version": ({"version": False}, "not_an_integer", "version"),
    "a version of 65 bits": ({"version": 2**63}, "out_of_range", "version"),
    "a schema_version of 32 bits": ({"schema_version": 2**31}, "out_of_range", "schema_version"),
    "a negative expires_at": ({"expires_at": -1}, "out_of_range", "expires_at"),
    "expires_at as text": ({"expires_at": "tomorrow"}, "not_an_integer", "expires_at"),
    "expires_at without end": ({"expires_at": 1e999}, "not_an_integer", "expires_at"),
    "a long ack_timeout_ms": ({"ack_timeout_ms": 300_001}, "out_of_range", "ack_timeout_ms"),
    "a negative ack_timeout_ms": ({"ack_timeout_ms": -1}, "out_of_range", "ack_timeout_ms"),
    "a number as collapse_key": ({"collapse_key": 1}, "not_a_string", "collapse_key"),
    "a list as ordering_key": ({"ordering_key": []}, "not_a_string", "ordering_key"),
    "a long correlation_id": ({"correlation_id": "c" * 201}, "too_long", "correlation_id"),
}


@pytest.mark.parametrize(("changes", "code", "field"), REFUSED_JSON.values(), ids=REFUSED_JSON)
def test_refused_in_json(changes: dict, code: str, field: str | None) -> None:
    event = event_json(**changes)
    with pytest.raises(InvalidEvent) as refused:
        events.from_json(event, GRANT)
    assert refused.value.code == code
    assert field is None or refused.value.field == field
    assert refused.value.detail


@pytest.mark.parametrize("body", [None, [], "event", 1, True])
def test_an_event_is_an_object(body: object) -> None:
    with pytest.raises(InvalidEvent, match="not_an_object"):
        events.from_json(body, GRANT)


REFUSED_PROTOBUF = {
    "an empty message": (b"", "missing_field", "event_id"),
    "no user": (event_message(user_id="").SerializeToString(), "missing_field", "user_id"),
    "no timestamp": (event_message(timestamp=0).SerializeToString(), "missing_field", "timestamp"),
    "seconds": (event_message(timestamp=1734533790).SerializeToString(), "out_of_range", "timestamp"),
    "a negative timestamp": (event_message(timestamp=-1).SerializeToString(), "out_of_range", "timestamp"),
    "a bad type_name": (event_message(type_name="N O").SerializeToString(), "invalid_type_name", "type_name"),
    "a long type_name": (
        event_message(type_name="n" * 101).SerializeToString(),
        "invalid_type_name",
        "type_name",
    ),
    "a NUL in type_name": (
        event_message(type_name="a\0b").SerializeToString(),
        "invalid_type_name",
        "type_name",
    ),
    "a payload that is no JSON": (event_message(payload=b"{").SerializeToString(), "invalid_json", "payload"),
    "a payload that is no UTF-8": (
        event_message(payload=b'{"a":"\xff"}').SerializeToString(),
        "invalid_json",
        "payload",
    ),
    "a payload with Infinity": (
        event_message(payload=b'{"a":-Infinity}').SerializeToString(),
        "invalid_json",
        "payload",
    ),
    "a payload with 1e999": (
        event_message(payload=b'{"a":1e999}').SerializeToString(),
        "invalid_number",
        "payload.a",
    ),
    "a number of 5,000 digits": (
        event_message(payload=b'{"a":' + b"9" * 5_000 + b"}").SerializeToString(),
        "invalid_json",
        "payload",
    ),
    "a payload without end": (
        event_message(payload=b'{"a":' + b"[" * 100_000).SerializeToString(),
        "invalid_json",
        "payload",
    ),
    "a payload that is null": (
        event_message(payload=b"null").SerializeToString(),
        "payload_not_object",
        "payload",
    ),
    "too many channels": (
        event_message(delivery={"channels": [{"channel": "WEB"}] * 17}).SerializeToString(),
        "invalid_delivery",
        "delivery.channels",
    ),
    "an ack_timeout_ms out of range": (
        event_message(ack_timeout_ms=300_001).SerializeToString(),
        "out_of_range",
        "ack_timeout_ms",
    ),
    "a schema_version of 32 bits": (
        event_message(schema_version=2**31).SerializeToString(),
        "out_of_range",
        "schema_version",
    ),
    "a negative version": (event_message(version=-1).SerializeToString(), "out_of_range", "version"),
    "bytes that are no message": (b"\xff\xff\xff\xff", "invalid_protobuf", ""),
    "an unfinished message": (event_message().SerializeToString()[:-3], "invalid_protobuf", ""),
    "more than 256 KiB": (b"\0" * (limits.EVENT_BYTES + 1), "too_large", ""),
}


@pytest.mark.parametrize(("data", "code", "field"), REFUSED_PROTOBUF.values(), ids=REFUSED_PROTOBUF)
def test_refused_in_protobuf(data: bytes, code: str, field: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        events.from_protobuf(data, GRANT)
    assert (refused.value.code, refused.value.field) == (code, field)


def test_one_large_event_of_a_json_batch_is_refused() -> None:
    event = event_json(payload={"candles": list(range(10**9, 10**9 + 30_000))})
    with pytest.raises(InvalidEvent, match="too_large") as refused:
        events.from_json(event, GRANT)
    assert refused.value.event_id == event["event_id"]


def test_nesting_that_python_cannot_write_is_refused() -> None:
    endless: list = []
    for _ in range(50_000):
        endless = [endless]
    with pytest.raises(InvalidEvent, match="invalid_json"):
        events.from_json(event_json(payload={"a": endless}), GRANT)


@pytest.mark.parametrize("name", ["priority", "channels"])
def test_what_belongs_into_delivery_is_said_so(name: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        events.from_json(event_json(**{name: 1}), GRANT)
    assert f'{{"delivery": {{"{name}": …}}}}' in refused.value.detail


def test_a_refusal_names_its_event() -> None:
    with pytest.raises(InvalidEvent) as json_refused:
        events.from_json(event_json(event_id="e-7", user_id=...), GRANT)
    with pytest.raises(InvalidEvent) as protobuf_refused:
        events.from_message(event_message(event_id="e-7", user_id=""), GRANT)
    assert json_refused.value.event_id == protobuf_refused.value.event_id == "e-7"


AT_THE_LIMIT = {
    "event_id": {"event_id": "é" * 100},
    "user_id": {"user_id": "u" * 128},
    "type_name": {"event_type": ..., "type_name": "a" * 100},
    "depth": {"payload": DEEP["in"]},
    "keys": {"payload": {str(number): number for number in range(256)}},
    "string": {"payload": {"note": "x" * 16 * 1024}},
    "metadata": {"metadata": {str(number): "x" * 1_000 for number in range(64)}},
    "channels": {"delivery": {"channels": ["WEB"] * 16}},
    "ack_timeout_ms": {"ack_timeout_ms": 300_000},
    "version": {"version": 2**63 - 1},
    "a long number": {"payload": {"wei": 10**4000}},
    "nulls": {"payload": None, "metadata": None, "version": None, "topic": None, "delivery": None},
}


@pytest.mark.parametrize("changes", AT_THE_LIMIT.values(), ids=AT_THE_LIMIT)
def test_accepted_at_the_limit(changes: dict) -> None:
    event = event_json(**changes)
    assert events.from_json(event, GRANT).event_id == event["event_id"]
