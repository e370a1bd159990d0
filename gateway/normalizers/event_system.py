"""Events of a service bus: `event_type`, `event_id`, `timestamp`, `source`, `data`, `metadata`.

Its 19 type names are those of the contract in another tense. A time without an offset is UTC there.
"""

import re
from typing import Any

from gateway.codec.fields import TYPES, is_type_name
from gateway.normalizers.base import Draft, JsonObject, Normalizer, Received, not_understood
from gateway.normalizers.declared import Declared, check_declared
from gateway.normalizers.values import parse_object, text

_ENDS = {"_UPDATE": "_UPDATED", "_REQUEST": "_REQUESTED", "_CHANGE": "_CHANGED"}
_NAIVE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?")

_DEFAULTS: JsonObject = {
    "to": {
        "user_id": "{metadata.user_id?}",
        "account": "{metadata.account?}",
        "topic": "events.{name}",
    },
    "event_id": "{event_id}",
    "event_type": "{type}",
    "timestamp": "{timestamp?}",
    "payload": "{data}",
    "metadata": "{labels}",
}


def _read(received: Received) -> list[Draft]:
    mapping: Declared = received.options
    body = parse_object(received.body)
    name = text(body, "event_type")
    data = body.get("data") or {}
    metadata = body.get("metadata") or {}
    if not isinstance(data, dict) or not isinstance(metadata, dict):
        raise not_understood("data and metadata are objects.", "data")
    own = {
        "type": _type(name),
        "name": name.lower(),
        "data": data,
        "metadata": metadata,
        "labels": _labels(metadata, text(body, "source", required=False)),
        "timestamp": _with_offset(body.get("timestamp")),
    }
    return [mapping.draft({**body, **own}, received.now_ms)]


def _type(name: str) -> str:
    """Return `market_data_update` as MARKET_DATA_UPDATED; a type of its own stays what it is."""
    upper = name.upper()
    for end, past in _ENDS.items():
        if upper.endswith(end):
            upper = upper.removesuffix(end) + past
    if upper in TYPES:
        return upper
    if not is_type_name(name.lower()):
        raise not_understood("event_type is not a name.", "event_type")
    return name.lower()


def _labels(metadata: JsonObject, service: str) -> dict[str, str]:
    labels = {name: value for name, value in metadata.items() if isinstance(value, str)}
    return labels | ({"service": service} if service else {})


def _with_offset(value: Any) -> Any:
    return f"{value}Z" if isinstance(value, str) and _NAIVE.fullmatch(value) else value


def _check_options(options: JsonObject) -> Declared:
    return check_declared(options, _DEFAULTS)


EVENT_SYSTEM = Normalizer("event-system", "Events of a service bus", _read, _check_options)
