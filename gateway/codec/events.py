"""Decode events: JSON and protobuf become one mapping, which one table of fields checks."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from google.protobuf.message import DecodeError

from gateway.codec import fields, limits
from gateway.codec.content import as_json
from gateway.codec.limits import InvalidEvent
from gateway.codec.schema import checked
from notifications.events import Envelope, SourceGrant
from notifications.states import Channel, Priority
from proto.tocsin.v1 import user_events_pb2 as wire

PROTOBUF = "application/x-protobuf"

_NAMES = frozenset(field.name for field in wire.UserEvent.DESCRIPTOR.fields)
_CHANNELS = frozenset(int(channel) for channel in Channel)
_PRIORITIES = frozenset(int(priority) for priority in Priority)
_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def from_json(body: Any, source: SourceGrant, *, raw: bytes = b"", reply_to: str = "") -> Envelope:
    """Return the envelope of one JSON event: field names as in the protobuf, payload as an object.

    Raises: `InvalidEvent`.
    """
    if not isinstance(body, dict):
        raise InvalidEvent("not_an_object", "Send an event as a JSON object.")
    try:
        for name in body:
            if name not in _NAMES:
                raise InvalidEvent("unknown_field", _unknown_field(name), str(name)[:60])
        data = raw or _serialized(body)
        _check_size(data)
        if body.get("recipient") is not None:  # its addresses must not be kept in plain text
            data = _serialized({name: value for name, value in body.items() if name != "recipient"})
        return _envelope(body, source, data, reply_to)
    except InvalidEvent as error:
        event_id = body.get("event_id")
        error.event_id = event_id[:200] if isinstance(event_id, str) else ""
        raise


def _unknown_field(name: Any) -> str:
    if name in {"priority", "channels"}:
        return f'Send {name} inside delivery: {{"delivery": {{"{name}": …}}}}.'
    return f"Remove this field; the fields of an event are {', '.join(sorted(_NAMES))}."


def _serialized(body: Any) -> bytes:
    """Return one event of a batch as compact JSON, which is no longer than the producer's bytes."""
    try:
        text = _compact.encode(body)
    except (RecursionError, ValueError) as error:
        detail = "Send valid JSON: this is too deep, or has too long a number."
        raise InvalidEvent("invalid_json", detail) from error
    return text.encode(errors="surrogatepass")


def _check_size(data: bytes) -> None:
    if len(data) > limits.EVENT_BYTES:
        raise InvalidEvent("too_large", f"Send at most {limits.EVENT_BYTES} bytes per event.")


def from_protobuf(data: bytes, source: SourceGrant, *, reply_to: str = "") -> Envelope:
    """Return the envelope of one serialized `UserEvent`. Raises: `InvalidEvent`."""
    return from_message(parse(data), source, raw=data, reply_to=reply_to)


def parse(data: bytes) -> wire.UserEvent:
    """Return the message; its size is checked before it is parsed. Raises: `InvalidEvent`."""
    _check_size(data)
    try:
        return wire.UserEvent.FromString(data)
    except (DecodeError, RecursionError, ValueError) as error:
        raise InvalidEvent("invalid_protobuf", "Send a serialized UserEvent.") from error


def parse_batch(data: bytes) -> list[wire.UserEvent]:
    """Return the events of a `UserEventBatch`. Raises: `InvalidEvent`."""
    try:
        return list(wire.UserEventBatch.FromString(data).events)
    except (DecodeError, RecursionError, ValueError) as error:
        raise InvalidEvent("invalid_protobuf", "Send a serialized UserEventBatch.") from error


def from_message(
    message: wire.UserEvent, source: SourceGrant, *, raw: bytes = b"", reply_to: str = ""
) -> Envelope:
    """Return the envelope of a parsed `UserEvent`. Raises: `InvalidEvent`."""
    data = raw or message.SerializeToString()
    try:
        _check_size(data)
        given = _as_json(message)
        if "recipient" in given:  # its addresses must not be kept in plain text
            message.ClearField("recipient")
            data = message.SerializeToString()
        return _envelope(given, source, data, reply_to)
    except InvalidEvent as error:
        error.event_id = message.event_id[:200]
        raise


def _as_json(message: wire.UserEvent) -> dict[str, Any]:
    """Return the fields as a JSON event has them; proto3 does not send an `event_type` of 0."""
    given: dict[str, Any] = {"event_type": message.event_type}
    given |= {field.name: value for field, value in message.ListFields()}
    if message.HasField("delivery"):
        given["delivery"] = _delivery_as_json(message.delivery)
    if message.HasField("recipient"):
        given["recipient"] = _recipient_as_json(message.recipient)
    if message.HasField("content"):
        given["content"] = as_json(message.content)
    return given


def _recipient_as_json(recipient: wire.Recipient) -> dict[str, Any]:
    """Return the fields that are given: proto3 does not tell an empty one from a missing one."""
    given: dict[str, Any] = {field.name: value for field, value in recipient.ListFields()}
    given["addresses"] = [
        {"channel": one.channel, "address": one.address, "verified": one.verified}
        for one in recipient.addresses
    ]
    return given


def _delivery_as_json(delivery: wire.DeliverySpec) -> dict[str, Any]:
    """Return the delivery without the channels of a newer schema, and NORMAL for a priority of one."""
    if len(delivery.channels) > limits.CHANNELS:
        raise fields.too_many_channels()
    return {
        "priority": delivery.priority if delivery.priority in _PRIORITIES else Priority.NORMAL,
        "channels": [
            {"channel": choice.channel, "only_if_active": choice.only_if_active}
            for choice in delivery.channels
            if choice.channel in _CHANNELS
        ],
    }


def _envelope(given: Mapping[str, Any], source: SourceGrant, raw: bytes, reply_to: str) -> Envelope:
    """Check every field and return the envelope."""
    if given.get("type_name"):
        given = {**given, "event_type": None}  # a type of the producer's own replaces the number
    content = checked(fields.EVENT, given)
    recipient = content.pop("recipient")
    type_name = content.pop("type_name")
    content["event_type"] = type_name or content["event_type"]
    content["priority"], content["channels"] = content.pop("delivery")
    content["timestamp_ms"] = content.pop("timestamp")
    content["expires_at_ms"] = content.pop("expires_at")
    content["words"] = content.pop("content")
    digest = _digest(content)
    reply_to = reply_to or ("callback" if source.callback else "")
    return Envelope(source=source, raw=raw, reply_to=reply_to, digest=digest, recipient=recipient, **content)


def _digest(content: Mapping[str, Any]) -> bytes:
    """Return 32 bytes that are the same for the same event on every ingress and in either encoding."""
    plain = dict(content)
    words = plain.pop("words")
    if words is not None:  # an event without them keeps the digest that it has always had
        plain["words"] = words.to_json()
    plain["channels"] = [[int(choice.channel), choice.only_if_active] for choice in content["channels"]]
    return sha256(_canonical.encode(plain).encode()).digest()
