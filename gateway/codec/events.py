"""Bytes to envelopes: with `ack_codec`, the only module that knows the wire's protobuf."""

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from google.protobuf.message import DecodeError

from gateway.codec import limits
from gateway.codec.limits import InvalidEvent, check_integer, check_text
from notifications.events import ChannelChoice, Envelope, SourceGrant
from notifications.states import Channel, Priority
from proto.tocsin.v1 import user_events_pb2 as wire

PROTOBUF = "application/x-protobuf"

_TYPE_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
_FIELDS = frozenset(field.name for field in wire.UserEvent.DESCRIPTOR.fields)
# Before 2001 in milliseconds, and the year 5138 in seconds: who sends less has sent seconds.
_SECONDS_BELOW = 10**12

ACK_TIMEOUT_MAX_MS = 300_000  # what a producer may ask for at most


def from_json(body: Any, source: SourceGrant, *, raw: bytes = b"", reply_to: str = "") -> Envelope:
    """Return the envelope of one JSON event: field names as in the protobuf, payload as an object.

    Raises: `InvalidEvent`.
    """
    if not isinstance(body, dict):
        raise InvalidEvent("not_an_object", "An event is a JSON object.")
    event_id = body.get("event_id")
    try:
        for name in body:
            if name not in _FIELDS:
                raise InvalidEvent("unknown_field", _unknown_field(name), str(name)[:60])
        data = raw or _serialized(body)
        if len(data) > limits.EVENT_BYTES:
            raise InvalidEvent("too_large", f"An event has at most {limits.EVENT_BYTES} bytes.")
        given = {name: value for name, value in body.items() if value is not None}
        given["event_type"] = _event_type_from_json(given)
        given["delivery"] = _delivery_from_json(given.get("delivery"))
        return _envelope(given, source, data, reply_to)
    except InvalidEvent as error:
        error.event_id = event_id[:200] if isinstance(event_id, str) else ""
        raise


def _serialized(body: Any) -> bytes:
    """Return one event of a batch as bytes of its own, no longer than its producer wrote it."""
    try:
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    except (RecursionError, ValueError) as error:
        raise InvalidEvent("invalid_json", "Not valid JSON: too deep, or a number too long.") from error
    return text.encode(errors="surrogatepass")


def from_protobuf(data: bytes, source: SourceGrant, *, reply_to: str = "") -> Envelope:
    """Return the envelope of one serialized `UserEvent`. Raises: `InvalidEvent`."""
    return from_message(parse(data), source, raw=data, reply_to=reply_to)


def parse(data: bytes) -> wire.UserEvent:
    """Return the message. Raises: `InvalidEvent`; sizes are checked before anything is parsed."""
    if len(data) > limits.EVENT_BYTES:
        raise InvalidEvent("too_large", f"An event has at most {limits.EVENT_BYTES} bytes.")
    try:
        return wire.UserEvent.FromString(data)
    except (DecodeError, RecursionError, ValueError) as error:
        raise InvalidEvent("invalid_protobuf", "These bytes are not a UserEvent.") from error


def parse_batch(data: bytes) -> list[wire.UserEvent]:
    """Return the events of a `UserEventBatch`. Raises: `InvalidEvent`."""
    try:
        return list(wire.UserEventBatch.FromString(data).events)
    except (DecodeError, RecursionError, ValueError) as error:
        raise InvalidEvent("invalid_protobuf", "These bytes are not a UserEventBatch.") from error


def from_message(
    message: wire.UserEvent, source: SourceGrant, *, raw: bytes = b"", reply_to: str = ""
) -> Envelope:
    """Return the envelope of a parsed `UserEvent`. Raises: `InvalidEvent`."""
    data = raw or message.SerializeToString()
    try:
        if len(data) > limits.EVENT_BYTES:
            raise InvalidEvent("too_large", f"An event has at most {limits.EVENT_BYTES} bytes.")
        given: dict[str, Any] = {
            name: getattr(message, name)
            for name in _FIELDS - {"payload", "delivery", "event_type", "metadata"}
        }
        given["metadata"] = dict(message.metadata)
        given["event_type"] = (
            _checked_type_name(message.type_name)
            if message.type_name
            else _event_type_name(message.event_type)
        )
        given["payload"] = limits.parse_json(message.payload, "payload") if message.payload else {}
        given["delivery"] = _delivery_from_message(message)
        return _envelope(given, source, data, reply_to)
    except InvalidEvent as error:
        error.event_id = message.event_id[:200]
        raise


def _envelope(given: Mapping[str, Any], source: SourceGrant, raw: bytes, reply_to: str) -> Envelope:
    """Check every field and return the envelope; `event_type` and `delivery` are resolved already."""
    priority, channels = given["delivery"]
    payload = given.get("payload", {})
    limits.check_payload(payload)
    content: dict[str, Any] = {
        "event_id": _required_text(given, "event_id", 200),
        "user_id": _user_id(given),
        "event_type": given["event_type"],
        "timestamp_ms": _timestamp(given),
        "priority": priority,
        "channels": channels,
        "payload": payload,
        "topic": _text(given, "topic"),
        "schema_version": _integer(given, "schema_version", 2**31 - 1),
        "expires_at_ms": _integer(given, "expires_at", 253_402_300_799_000),
        "collapse_key": _text(given, "collapse_key"),
        "ordering_key": _text(given, "ordering_key"),
        "version": _integer(given, "version", 2**63 - 1),
        "metadata": limits.check_metadata(given.get("metadata", {})),
        "correlation_id": _text(given, "correlation_id"),
        "ack_timeout_ms": _integer(given, "ack_timeout_ms", ACK_TIMEOUT_MAX_MS),
    }
    return Envelope(source=source, raw=raw, reply_to=reply_to, digest=_digest(content), **content)


def _digest(content: Mapping[str, Any]) -> bytes:
    """Return the same 32 bytes for the same event, whatever encoding and ingress it came by."""
    plain = dict(content)
    plain["channels"] = [[int(choice.channel), choice.only_if_active] for choice in content["channels"]]
    return sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).digest()


def _required_text(given: Mapping[str, Any], name: str, longest: int) -> str:
    text = _text(given, name, longest)
    if not text:
        raise InvalidEvent("missing_field", f"{name} is required.", name)
    return text


def _text(given: Mapping[str, Any], name: str, longest: int = 200) -> str:
    value = given.get(name, "")
    if not isinstance(value, str):
        raise InvalidEvent("not_a_string", "Send a string.", name)
    return check_text(value, name, longest=longest)


def _integer(given: Mapping[str, Any], name: str, highest: int) -> int:
    return check_integer(given.get(name, 0), name, highest=highest)


def _user_id(given: Mapping[str, Any]) -> str:
    user_id, topic = _text(given, "user_id", 128), _text(given, "topic")
    if bool(user_id) == bool(topic):
        raise InvalidEvent("missing_field", "Give user_id or topic, and not both.", "user_id")
    return user_id


def _timestamp(given: Mapping[str, Any]) -> int:
    value = given.get("timestamp", 0)
    if value == 0 and not isinstance(value, bool):
        raise InvalidEvent("missing_field", "timestamp is required, in Unix milliseconds.", "timestamp")
    timestamp = check_integer(value, "timestamp", lowest=0, highest=253_402_300_799_000)
    if timestamp < _SECONDS_BELOW:
        raise InvalidEvent("out_of_range", "Send milliseconds; this looks like seconds.", "timestamp")
    return timestamp


def _event_type_from_json(given: Mapping[str, Any]) -> str:
    name = given.get("type_name", "")
    if name != "":
        return _checked_type_name(name)
    value = given.get("event_type")
    if value is None:
        raise InvalidEvent(
            "missing_field", "Give event_type, or type_name for a type of your own.", "event_type"
        )
    if isinstance(value, int) and not isinstance(value, bool):
        return _event_type_name(check_integer(value, "event_type", lowest=-(2**31), highest=2**31 - 1))
    if value not in wire.EventType.keys():  # noqa: SIM118  an enum wrapper, not a dict
        detail = "Not a known event type; send types of your own as type_name, such as my_app.thing_done."
        raise InvalidEvent("unknown_event_type", detail, "event_type")
    return str(value)


def _checked_type_name(name: Any) -> str:
    if not isinstance(name, str) or len(name) > 100 or not _TYPE_NAME.fullmatch(name):
        detail = "Lower case letters, digits, _ and dots, such as norm.swap_demand; at most 100."
        raise InvalidEvent("invalid_type_name", detail, "type_name")
    return name


def _event_type_name(number: int) -> str:
    """Return the name of an event type; a number from a newer schema is kept as a custom type."""
    found = wire.EventType.DESCRIPTOR.values_by_number.get(number)
    return found.name if found is not None else f"custom.{number}" if number >= 0 else "CUSTOM"


def _delivery_from_json(delivery: Any) -> tuple[Priority, tuple[ChannelChoice, ...]]:
    if delivery is None:
        return Priority.NORMAL, ()
    if not isinstance(delivery, dict) or set(delivery) - {"priority", "channels"}:
        raise InvalidEvent("invalid_delivery", "An object with priority and channels.", "delivery")
    priority = _member(Priority, delivery.get("priority", "NORMAL"), "delivery.priority")
    channels = delivery.get("channels", [])
    if not isinstance(channels, list) or len(channels) > limits.CHANNELS:
        raise _too_many_channels()
    return priority, tuple(_choice(item, index) for index, item in enumerate(channels))


def _choice(item: Any, index: int) -> ChannelChoice:
    field = f"delivery.channels[{index}]"
    if isinstance(item, str):
        return ChannelChoice(_member(Channel, item, field))
    if not isinstance(item, dict) or set(item) - {"channel", "only_if_active"}:
        raise InvalidEvent("invalid_delivery", "An object with channel and only_if_active.", field)
    only_if_active = item.get("only_if_active", False)
    if not isinstance(only_if_active, bool):
        raise InvalidEvent("invalid_delivery", "true or false.", f"{field}.only_if_active")
    return ChannelChoice(_member(Channel, item.get("channel"), f"{field}.channel"), only_if_active)


def _member(enum: Any, value: Any, field: str) -> Any:
    names = {member.name: member for member in enum}
    if isinstance(value, str) and value in names:
        return names[value]
    if isinstance(value, int) and not isinstance(value, bool) and value in enum.__members__.values():
        return enum(value)
    raise InvalidEvent("unknown_value", f"One of {', '.join(names)}.", field)


def _delivery_from_message(message: wire.UserEvent) -> tuple[Priority, tuple[ChannelChoice, ...]]:
    """Return what the message asks for. Without a delivery, and with numbers of a newer schema: NORMAL."""
    if not message.HasField("delivery"):
        return Priority.NORMAL, ()
    if len(message.delivery.channels) > limits.CHANNELS:
        raise _too_many_channels()
    number = message.delivery.priority
    known = number in {member.value for member in Priority}
    channels = [
        ChannelChoice(Channel(choice.channel), choice.only_if_active)
        for choice in message.delivery.channels
        if choice.channel in {member.value for member in Channel}
    ]
    return Priority(number) if known else Priority.NORMAL, tuple(channels)


def _too_many_channels() -> InvalidEvent:
    return InvalidEvent(
        "invalid_delivery", f"A list of at most {limits.CHANNELS} channels.", "delivery.channels"
    )


def _unknown_field(name: Any) -> str:
    if name in {"priority", "channels"}:
        return f'{name} belongs into delivery: {{"delivery": {{"{name}": …}}}}.'
    return f"Not a field of UserEvent; known are {', '.join(sorted(_FIELDS))}."
