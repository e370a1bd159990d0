"""Events and acks as protobuf. Needs the extra `protobuf`.

`user_events_pb2` is generated from the schema of the service under a package name of its own, so that it can
stand in one process with any other copy of that schema. The bytes are the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Dict

from tocsin.acks import Ack, ChannelOutcome
from tocsin.wire import user_events_pb2 as pb


def event_bytes(body: str, *, source: str = "") -> bytes:
    """Return an event's JSON as a serialized `UserEvent`."""
    return event_message(json.loads(body), source=source).SerializeToString()


def event_message(given: Mapping[str, Any], *, source: str = "") -> pb.UserEvent:
    """Return an event's JSON as a message. Raises: ValueError or TypeError for an unknown field."""
    fields: Dict[str, Any] = dict(given)
    fields["payload"] = json.dumps(
        fields.get("payload", {}), ensure_ascii=False, separators=(",", ":")
    ).encode()
    fields["source"] = source
    if "type_name" in fields:
        fields["event_type"] = "CUSTOM"
    if "delivery" in fields:
        fields["delivery"] = _delivery(fields["delivery"])
    if "content" in fields:
        fields["content"] = _content(fields["content"])
    return pb.UserEvent(**fields)


def _delivery(given: Mapping[str, Any]) -> Dict[str, Any]:
    channels = [one if isinstance(one, dict) else {"channel": one} for one in given.get("channels", ())]
    return {**given, "channels": channels}


def _content(given: Mapping[str, Any]) -> Dict[str, Any]:
    """Write the kinds of actions as the schema names them."""
    return {**given, "actions": [_action(one) for one in given.get("actions", ())]}


def _action(given: Mapping[str, Any]) -> Dict[str, Any]:
    kind = given.get("kind")
    short = isinstance(kind, str) and not kind.startswith("ACTION_KIND_")
    return {**given, "kind": f"ACTION_KIND_{kind.upper()}"} if kind and short else dict(given)


def ack_from(data: bytes) -> Ack:
    """Return the ack of a serialized `EventAck`. Raises: `DecodeError`; ValueError if it is empty."""
    message = pb.EventAck.FromString(data)
    if not message.event_id or not message.at:
        raise ValueError("an empty message reads as DELIVERED")
    status = _name(pb.AckStatus, message.status)
    delivered = status == "DELIVERED"
    return Ack(
        event_id=message.event_id,
        status=status,
        final=message.final,
        code=message.code,
        detail=message.error_message,
        delivered_via=_name(pb.ChannelType, message.delivered_via) if delivered else "",
        evidence=_name(pb.Evidence, message.evidence).replace("EVIDENCE_", "") if delivered else "",
        duplicate=message.duplicate,
        seq=message.seq,
        at=message.at,
        outcomes=tuple(
            ChannelOutcome(_name(pb.ChannelType, one.channel), one.state, one.reason)
            for one in message.outcomes
        ),
        counts=dict(message.counts),
        superseded_by=message.superseded_by,
    )


def _name(enum: Any, number: int) -> str:
    """Return a value's name; of a newer server's value, its number."""
    try:
        return str(enum.Name(number))
    except ValueError:
        return str(number)
