"""The fields of a stored template, and of what is done with one."""

from typing import Any

from gateway.codec.limits import InvalidEvent
from gateway.codec.people import check_boolean, checked_object
from gateway.codec.schema import Field, Kind, object_schema, text
from notifications.rendering.sandbox import MAX_SOURCE_CHARS
from notifications.states import Channel, Priority
from notifications.transports import registry


def _check_channel(name: Any, field: str) -> int:
    names = [channel.name for channel in registry.channels()]
    if name not in names:
        raise InvalidEvent("unknown_value", f"One of {', '.join(names)}; null: every channel.", field)
    return int(Channel[name])


def _check_priority(name: Any, field: str) -> Priority:
    if not isinstance(name, str) or name not in Priority.__members__:
        raise InvalidEvent("unknown_value", f"One of {', '.join(Priority.__members__)}.", field)
    return Priority[name]


def _check_payload(value: Any, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidEvent("not_an_object", "Send a JSON object.", field)
    return value


def _check_version(number: Any, field: str) -> int:
    if isinstance(number, bool) or not isinstance(number, int):
        raise InvalidEvent("not_an_integer", "The number of a version, or null.", field)
    return number


def _nothing() -> None:
    """The value of what was not given."""


_FLAG = Kind(check_boolean, {"type": "boolean", "default": False}, bool)
_TEMPLATE = (
    Field("event_type", text(100), "the type, or the first part of the types of a family"),
    Field("is_family", _FLAG, "for all types that begin with event_type"),
    Field("channel", Kind(_check_channel, {"type": "string"}, _nothing), "without it: every channel"),
    Field("locale", text(16), "without it: every language"),
    Field("title", text(MAX_SOURCE_CHARS), "the template of the title"),
    Field("body", text(MAX_SOURCE_CHARS), "the template of the body"),
)
PUT = (*_TEMPLATE, Field("publish", _FLAG, "use it from now on"))
_SAMPLE = (
    Field("event_type", text(100), "without it: that of the template"),
    Field("payload", Kind(_check_payload, {"type": "object"}, dict), "the event's payload"),
    Field("locale", text(16), "the person's language"),
    Field("time_zone", text(64), "the person's time zone"),
    Field(
        "priority",
        Kind(_check_priority, {"enum": list(Priority.__members__)}, lambda: Priority.NORMAL),
        "the event's priority",
    ),
)
PREVIEW = (
    *_TEMPLATE,
    Field(
        "sample",
        Kind(
            lambda value, field: checked_object(_SAMPLE, value, field),
            object_schema(_SAMPLE, "TemplateSample"),
            lambda: checked_object(_SAMPLE, {}, ""),
        ),
        "the event that the messages are made of",
    ),
)
VERSION = (
    Field("version", Kind(_check_version, {"type": "integer"}, _nothing), "null: the shipped wording"),
)
