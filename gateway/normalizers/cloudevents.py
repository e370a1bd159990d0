"""CloudEvents 1.0 over HTTP: structured, binary and batched.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

import re
from base64 import b64encode
from typing import Any
from urllib.parse import unquote

from gateway.codec.fields import TYPES
from gateway.codec.limits import BATCH_EVENTS, InvalidEvent
from gateway.normalizers.base import Draft, JsonObject, Normalizer, Received, event_id, not_understood
from gateway.normalizers.declared import Declared, check_declared, serialized
from gateway.normalizers.values import parse, parse_object

_STRUCTURED = "application/cloudevents+json"
_BATCH = "application/cloudevents-batch+json"
_PREFIX = "ce-"
_REQUIRED = ("id", "source", "type")
_NOT_OF_A_TYPE = re.compile(r"[^a-z0-9_.]+")

_DEFAULTS: JsonObject = {
    "to": {
        "user_id": "{tocsinuser?}",
        "group": "{tocsingroup?}",
        "topic": "{tocsintopic?}",
        "account": "{tocsinaccount?}",
    },
    "event_id": "{event_id}",
    "event_type": "{event_type}",
    "timestamp": "{time?}",
    "payload": "{payload}",
    "priority": "{tocsinpriority?}",
    "metadata": {"ce_source": "{source}", "ce_type": "{type}", "ce_subject": "{subject?}"},
}


def _read(received: Received) -> list[Draft]:
    mapping: Declared = received.options
    kind = received.media_type.partition(";")[0].strip().lower()
    if kind == _BATCH:
        found = parse(received.body)
        if not isinstance(found, list) or len(found) > BATCH_EVENTS:
            raise not_understood(f"A batch is a list of at most {BATCH_EVENTS} events.")
        return [_draft(mapping, one, received.now_ms, raw=serialized(one)) for one in found]
    if kind == _STRUCTURED:
        return [_draft(mapping, parse_object(received.body), received.now_ms)]
    return [_draft(mapping, _binary(received, kind), received.now_ms)]


def _draft(mapping: Declared, event: Any, now_ms: int, *, raw: bytes = b"") -> Draft:
    if not isinstance(event, dict):
        raise not_understood("An event is an object.")
    if event.get("specversion") != "1.0":
        raise not_understood("specversion is not 1.0.", "specversion")
    for name in _REQUIRED:
        if not isinstance(event.get(name), str) or not event[name]:
            raise not_understood(f"{name} is missing.", name)
    own = {
        "event_id": event_id(event["source"], event["id"]),
        "event_type": _type(event["type"]),
        "payload": _payload(event),
    }
    made = mapping.draft({**event, **own}, now_ms)
    return Draft(made.to, made.event_id, made.event, made.same, raw)


def _type(name: str) -> str:
    """Return the type as an event has one: `com.example.Order-Filled` is com.example.order_filled."""
    if name in TYPES:
        return name
    return ".".join(part for part in _NOT_OF_A_TYPE.sub("_", name.lower()).split(".") if part)


def _payload(event: JsonObject) -> JsonObject:
    if "data_base64" in event:
        return {"data_base64": event["data_base64"]}
    data = event.get("data")
    if isinstance(data, dict):
        return data
    return {} if data is None else {"data": data}


def _binary(received: Received, kind: str) -> JsonObject:
    """Return the event of binary mode: its attributes are headers, its data is the body."""
    event: JsonObject = {
        name.removeprefix(_PREFIX): unquote(value)
        for name, value in received.headers.items()
        if name.startswith(_PREFIX)
    }
    if not event:
        detail = f"Send {_STRUCTURED}, {_BATCH}, or the attributes as headers ce-id, ce-source, ce-type."
        raise InvalidEvent("unsupported_media_type", detail)
    if not received.body:
        return event
    if kind in {"", "application/json"} or kind.endswith("+json"):
        return {**event, "data": parse(received.body)}
    try:
        return {**event, "data": received.body.decode()}
    except UnicodeDecodeError:
        return {**event, "data_base64": b64encode(received.body).decode()}


def _check_options(options: JsonObject) -> Declared:
    return check_declared(options, _DEFAULTS)


CLOUDEVENTS = Normalizer("cloudevents", "CloudEvents 1.0", _read, _check_options)
