"""Events as a producer writes them, and their JSON, which is what the journal keeps."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, Dict, Union

from tocsin.errors import InvalidEvent

if TYPE_CHECKING:
    from typing_extensions import TypedDict
else:
    TypedDict = dict

INFORMATIONAL, NORMAL, CRITICAL = "INFORMATIONAL", "NORMAL", "CRITICAL"
PRIORITIES = (INFORMATIONAL, NORMAL, CRITICAL)
EVENT_BYTES = 256 * 1024

Moment = Union[int, datetime]  # Unix milliseconds, or an aware datetime
Channel = Union[str, Mapping[str, Any]]  # "EMAIL", or {"channel": "EMAIL", "only_if_active": True}

_NUMBERED = re.compile(r"[A-Z][A-Z0-9_]*")  # ORDER_FILLED; other names go as type_name
_ONE_LINE = (("event_id", 200), ("user_id", 200), ("topic", 128))


if TYPE_CHECKING:

    class Details(TypedDict, total=False):
        """What an event may have besides its person, type and payload."""

        event_id: str
        timestamp: Moment
        topic: str
        channels: Sequence[Channel]
        content: Mapping[str, Any]
        recipient: Mapping[str, Any]
        expires_at: Moment
        ordering_key: str
        collapse_key: str
        version: int
        correlation_id: str
        metadata: Mapping[str, str]
        ack_timeout_ms: int
        schema_version: int


@dataclass(frozen=True)
class Event:
    """One event: for a person (`user_id`) or for all followers of a topic (`topic`).

    `event_type` is a name of the contract (ORDER_FILLED) or one of your own (`release.published`). `event_id`
    and `timestamp` are filled in if they are empty. The other fields are those of docs/wire.md.
    """

    user_id: str = ""
    event_type: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)
    priority: str = NORMAL
    event_id: str = ""
    timestamp: Moment = 0
    topic: str = ""
    channels: Sequence[Channel] = ()
    content: Mapping[str, Any] = field(default_factory=dict)
    recipient: Mapping[str, Any] = field(default_factory=dict)
    expires_at: Moment = 0
    ordering_key: str = ""
    collapse_key: str = ""
    version: int = 0
    correlation_id: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    ack_timeout_ms: int = 0
    schema_version: int = 0

    def filled(self, *, now_ms: int) -> Event:
        """Return it with an id and a time of its own."""
        return replace(
            self,
            event_id=self.event_id or str(uuid.uuid4()),
            timestamp=to_ms(self.timestamp, "timestamp") or now_ms,
            expires_at=to_ms(self.expires_at, "expires_at"),
        )

    def to_json(self) -> Dict[str, Any]:
        """Return the event as the HTTP API takes it; what is empty is left out."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        numbered = _NUMBERED.fullmatch(self.event_type)
        given["event_type" if numbered else "type_name"] = given.pop("event_type")
        channels = list(given.pop("channels"))
        delivery = {"priority": given.pop("priority")} | ({"channels": channels} if channels else {})
        kept = {name: value for name, value in given.items() if value or name == "payload"}
        return kept | {"delivery": delivery}

    def to_text(self) -> str:
        """Return the event's JSON. Raises: `InvalidEvent`, with what to do."""
        self._check()
        try:
            text = json.dumps(
                self.to_json(), ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain
            )
            size = len(text.encode())
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidEvent("invalid_json", f"Give values that JSON has: {error}.", "payload") from error
        if size > EVENT_BYTES:
            raise InvalidEvent("too_large", f"An event has at most {EVENT_BYTES} bytes; send a link instead.")
        return text

    def _check(self) -> None:
        if bool(self.user_id) == bool(self.topic):
            raise InvalidEvent("missing_field", "Give either user_id or topic.", "user_id")
        if not self.event_type:
            raise InvalidEvent("missing_field", "Say what happened: event_type.", "event_type")
        if self.priority not in PRIORITIES:
            raise InvalidEvent("unknown_value", f"Use one of {', '.join(PRIORITIES)}.", "priority")
        if not isinstance(self.payload, Mapping):
            raise InvalidEvent("payload_not_object", "Give the payload as a mapping.", "payload")
        for name, longest in _ONE_LINE:
            if len(getattr(self, name)) > longest:
                raise InvalidEvent("too_long", f"At most {longest} characters.", name)


def to_ms(moment: Moment, field_name: str) -> int:
    """Return Unix milliseconds. Raises: `InvalidEvent` for a datetime without a time zone."""
    if not isinstance(moment, datetime):
        return int(moment)
    if moment.tzinfo is None:
        raise InvalidEvent("out_of_range", "Give a datetime with its time zone.", field_name)
    return round(moment.timestamp() * 1000)


def _plain(value: object) -> Any:
    """Return what JSON has in place of `value`: amounts and ids as text, times in milliseconds."""
    if isinstance(value, (Decimal, uuid.UUID)):
        return str(value)
    if isinstance(value, datetime):
        return to_ms(value, "payload")
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON")


def without_timestamp(text: str) -> Dict[str, Any]:
    """Return an event's JSON without its time, to compare events whose time was filled in."""
    given: Dict[str, Any] = json.loads(text)
    given.pop("timestamp", None)
    return given
