"""The fields of an event: both encodings are checked by this table, and the OpenAPI document is made from it.

`docs/wire.md` has the same descriptions. `source` is missing: it is accepted and ignored, since the
authenticated source is used.
"""

import re
from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from gateway.codec import limits, people
from gateway.codec.content import CONTENT
from gateway.codec.limits import InvalidEvent, check_integer, check_text, check_time
from gateway.codec.schema import Field, Kind, Values, integer, object_schema, text
from notifications.events import ChannelChoice
from notifications.states import Channel, Priority
from proto.tocsin.v1 import user_events_pb2 as wire

Delivery = tuple[Priority, tuple[ChannelChoice, ...]]

_TYPE_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
_TYPE_NAME_LENGTH = 100
TYPES = frozenset(wire.EventType.keys())
_ACK_TIMEOUT_MAX_MS = 300_000  # the longest that a producer may request


def is_type_name(name: str) -> bool:
    """Return whether a producer may call a type of its own so."""
    return len(name) <= _TYPE_NAME_LENGTH and _TYPE_NAME.fullmatch(name) is not None


def _check_type_name(name: Any, field: str) -> str:
    if name == "":
        return ""
    if not isinstance(name, str) or not is_type_name(name):
        detail = "Use lower-case letters, digits, _ and dots, such as norm.swap_demand; at most 100."
        raise InvalidEvent("invalid_type_name", detail, field)
    return name


def _check_event_type(value: Any, field: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return _event_type_name(check_integer(value, field, lowest=-(2**31), highest=2**31 - 1))
    if not isinstance(value, str) or value not in TYPES:
        detail = "Send a name of EventType, or a type of your own as type_name, such as my_app.thing_done."
        raise InvalidEvent("unknown_event_type", detail, field)
    return value


def _event_type_name(number: int) -> str:
    """Return the name of an event type; a number of a newer schema is kept as a custom type."""
    found = wire.EventType.DESCRIPTOR.values_by_number.get(number)
    return found.name if found is not None else f"custom.{number}" if number >= 0 else "CUSTOM"


def _one_type(values: Values) -> None:
    if not values["event_type"] and not values["type_name"]:
        detail = "Send event_type, or type_name for a type of your own."
        raise InvalidEvent("missing_field", detail, "event_type")


def _one_recipient(values: Values) -> None:
    if bool(values["user_id"]) == bool(values["topic"]):
        raise InvalidEvent("missing_field", "Send either user_id or topic.", "user_id")


def _recipient_of_user(values: Values) -> None:
    if values["recipient"] is not None and values["topic"]:
        detail = "Send recipient with user_id only: a topic has followers."
        raise InvalidEvent("recipient_without_user", detail, "recipient")


def _check_payload(value: Any, field: str) -> Any:
    """Return the object; protobuf has it as bytes of JSON."""
    return limits.check_payload(limits.parse_json(value, field) if isinstance(value, bytes) else value, field)


def _check_ack_timeout(value: Any, field: str) -> int:
    return check_integer(value, field, highest=_ACK_TIMEOUT_MAX_MS)


def _check_metadata(value: Any, field: str) -> dict[str, str]:
    if not isinstance(value, Mapping) or len(value) > limits.METADATA_ENTRIES:
        detail = f"Send an object of at most {limits.METADATA_ENTRIES} strings."
        raise InvalidEvent("invalid_metadata", detail, field)
    for key, label in value.items():
        if not isinstance(label, str):
            raise InvalidEvent("invalid_metadata", "Send each value as a string.", f"{field}.{key}")
        check_text(key, field, longest=200)
        check_text(label, f"{field}.{key}", longest=1_000)
    return dict(value)


# --- delivery -------------------------------------------------------------------------------------------
def _by_name_and_number(enum: type[IntEnum]) -> dict[Any, Any]:
    return {key: member for member in enum for key in (member.name, member.value)}


_PRIORITIES = _by_name_and_number(Priority)
_CHANNELS = _by_name_and_number(Channel)


def _check_delivery(delivery: Any, field: str) -> Delivery:
    if not isinstance(delivery, dict) or delivery.keys() - {"priority", "channels"}:
        raise InvalidEvent("invalid_delivery", "Send an object with only priority and channels.", field)
    priority = _member(_PRIORITIES, delivery.get("priority", "NORMAL"), f"{field}.priority")
    channels = delivery.get("channels", [])
    if not isinstance(channels, list) or len(channels) > limits.CHANNELS:
        raise too_many_channels()
    return priority, tuple([_choice(item, index) for index, item in enumerate(channels)])


def _choice(item: Any, index: int) -> ChannelChoice:
    field = f"delivery.channels[{index}]"
    if isinstance(item, str):
        return ChannelChoice(_member(_CHANNELS, item, field))
    if not isinstance(item, dict) or item.keys() - {"channel", "only_if_active"}:
        detail = "Send an object with only channel and only_if_active."
        raise InvalidEvent("invalid_delivery", detail, field)
    only_if_active = item.get("only_if_active", False)
    if not isinstance(only_if_active, bool):
        raise InvalidEvent("invalid_delivery", "Send true or false.", f"{field}.only_if_active")
    return ChannelChoice(_member(_CHANNELS, item.get("channel"), f"{field}.channel"), only_if_active)


def _member(members: Mapping[Any, Any], value: Any, field: str) -> Any:
    if isinstance(value, (str, int)) and not isinstance(value, bool) and value in members:
        return members[value]
    names = ", ".join(name for name in members if isinstance(name, str))
    raise InvalidEvent("unknown_value", f"Send one of {names}.", field)


def too_many_channels() -> InvalidEvent:
    detail = f"Send a list of at most {limits.CHANNELS} channels."
    return InvalidEvent("invalid_delivery", detail, "delivery.channels")


# --- the table ------------------------------------------------------------------------------------------
_TYPE_NAME_KIND = Kind(
    _check_type_name,
    {"type": "string", "pattern": f"^{_TYPE_NAME.pattern}$", "maxLength": _TYPE_NAME_LENGTH},
    str,
)
_DELIVERY = Kind(
    _check_delivery,
    {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "priority": {"enum": list(Priority.__members__), "default": "NORMAL"},
            "channels": {
                "type": "array",
                "maxItems": limits.CHANNELS,
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "channel": {"enum": list(Channel.__members__)},
                        "only_if_active": {"type": "boolean", "default": False},
                    },
                },
            },
        },
    },
    lambda: (Priority.NORMAL, ()),
)
_METADATA = {
    "type": "object",
    "maxProperties": limits.METADATA_ENTRIES,
    "additionalProperties": {"type": "string", "maxLength": 1_000},
}
# A name of 129 to 200 bytes is rejected later, as invalid_topic.
_TOPIC = Kind(text(200).check, {"type": "string", "maxLength": 128}, str)
_MS = {"type": "integer", "minimum": 0}

# In the order in which faults are looked for: an event with several is rejected for the first.
EVENT = (
    Field(
        "type_name",
        _TYPE_NAME_KIND,
        "open event type (`norm.swap_demand`) for types without a number; used with `CUSTOM`",
    ),
    Field(
        "event_type",
        Kind(_check_event_type, {"type": "string"}, str),
        "what happened, by its name",
        rule=_one_type,
    ),
    Field("delivery", _DELIVERY, "priority and channels"),
    Field(
        "payload",
        Kind(_check_payload, {"type": "object"}, dict),
        "a JSON object in UTF-8, shaped as the type's payload message; "
        f"at most {limits.PAYLOAD_DEPTH} levels, {limits.PAYLOAD_KEYS} keys in all, "
        f"and strings of {limits.STRING_BYTES // 1024} KiB",
    ),
    Field("event_id", text(), "idempotency key, unique within the source", required=True),
    Field("user_id", text(128), "the person, by your own id; exactly one of this and `topic`"),
    Field("topic", _TOPIC, "all followers of this topic, instead of a person", rule=_one_recipient),
    Field(
        "timestamp",
        Kind(check_time, _MS, int),
        "when it happened, in Unix milliseconds",
        required=True,
    ),
    Field(
        "schema_version", integer(2**31 - 1), 'version of the payload\'s shape, recorded; 0 is "not stated"'
    ),
    Field(
        "expires_at",
        Kind(check_time, _MS, int),
        "not sent from then on, in Unix milliseconds; 0 is the server's default",
    ),
    Field(
        "collapse_key",
        text(),
        "of one person's events with this key only the newest is sent: it takes the place of those that have "
        "not ended",
    ),
    Field(
        "ordering_key",
        text(),
        "one person's events with this key are sent one after the other, in the order of their acceptance",
    ),
    Field(
        "version",
        integer(2**63 - 1),
        "which of the events with one `collapse_key` is the newest: the highest, and of equal ones the last "
        "accepted",
    ),
    Field(
        "metadata",
        Kind(_check_metadata, _METADATA, dict),
        "labels for tracing; never shown to the person",
    ),
    Field(
        "correlation_id",
        text(),
        "groups related events; returned by `GET /events/{event_id}`, and searched in the admin",
    ),
    Field(
        "ack_timeout_ms",
        Kind(_check_ack_timeout, _MS, int),
        "time for a live session to confirm; 0 is 5,000",
    ),
    Field(
        "recipient",
        Kind(people.check_recipient, object_schema(people.RECIPIENT), lambda: None),
        "who `user_id` is: the person is created or completed just in time; see [people.md](people.md)",
        rule=_recipient_of_user,
    ),
    Field(
        "content",
        CONTENT,
        "the producer's own words: `title`, `body` (Markdown-lite), `url`, `image` and `actions`; "
        "see [words.md](words.md)",
    ),
)
