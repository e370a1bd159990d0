"""Events by a declared mapping: each field of an event, as an expression over the input."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from json import JSONEncoder
from typing import Any

from gateway.codec.fields import TYPES
from gateway.codec.limits import BATCH_EVENTS, InvalidEvent
from gateway.normalizers.base import Draft, JsonObject, To, Whom, event_id, not_understood
from gateway.normalizers.expressions import MISSING, Expression, Place, compiled, place
from gateway.normalizers.values import moment_ms

_TIMES = ("timestamp", "expires_at")
_FIELDS = frozenset(
    (
        *("event_id", "event_type", "payload", "content", "metadata", "priority"),
        *("collapse_key", "ordering_key", "version", "correlation_id", "schema_version", *_TIMES),
    )
)
_TEXTS = frozenset(("event_id", "collapse_key", "ordering_key", "correlation_id"))
_WHOM = frozenset(whom.value for whom in Whom)
_compact = JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Declared:
    """A checked mapping. `items`: where a list of inputs stands, each an event; None: the input is one."""

    to: Mapping[Whom, Expression]
    fields: Mapping[str, Expression]
    items: Place | None = None

    def drafts(self, document: Any, now_ms: int) -> list[Draft]:
        if self.items is None:
            return [self.draft(document, now_ms)]
        found = self.items.value(document)
        if not isinstance(found, list) or len(found) > BATCH_EVENTS:
            detail = f"{self.items.written} is not a list of at most {BATCH_EVENTS}."
            raise not_understood(detail, self.items.written)
        drafts = [self.draft(item, now_ms) for item in found]
        return [
            Draft(one.to, one.event_id, one.event, one.same, serialized(item))
            for one, item in zip(drafts, found, strict=True)
        ]

    def draft(self, document: Any, now_ms: int) -> Draft:
        """Return the event. Without an id it is its content's digest; without a time, that of its arrival."""
        event = {name: expression.value(document) for name, expression in self.fields.items()}
        event = {name: value for name, value in event.items() if value is not MISSING}
        digest = sha256(serialized(document)).hexdigest()
        for name in _TIMES:
            if name in event:
                event[name] = moment_ms(event[name], name)
        same = "" if "timestamp" in event else digest
        event.setdefault("timestamp", now_ms)
        for name in _TEXTS & event.keys():
            event[name] = _as_text(event[name], name)
        name = event.pop("event_id", f"sha256:{digest}")
        return Draft(self._to(document), event_id(name), as_event(event), same)

    def _to(self, document: Any) -> To:
        """Return the first recipient that the input names."""
        for whom, expression in self.to.items():
            found = expression.value(document)
            if found is not MISSING and found != "":
                return To(whom, _as_text(found, f"to.{whom}"))
        raise not_understood("It does not say for whom it is.", "to")


def _as_text(value: Any, name: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise not_understood(f"{name} is not a text.", name)
    return str(value)


def as_event(fields: Mapping[str, Any]) -> JsonObject:
    """Return the fields as a JSON event has them, with `type_name` and `delivery` where they belong."""
    event = dict(fields)
    kind = event.pop("event_type", None)
    if kind is not None:
        is_ours = isinstance(kind, str) and kind in TYPES
        event["event_type" if is_ours else "type_name"] = kind
    if "priority" in event:
        event["delivery"] = {"priority": event.pop("priority")}
    return event


def check_declared(options: Mapping[str, Any], defaults: Mapping[str, Any]) -> Declared:
    """Return the mapping of a hook's options. Raises: `InvalidEvent` with the field that is wrong."""
    known = {"to", "items", *_FIELDS}
    for name in options:
        if name not in known:
            raise InvalidEvent("invalid_options", f"Unknown: use {', '.join(sorted(known))}.", str(name)[:60])
    given = {**defaults, **options}
    to = given.pop("to", None)
    if not isinstance(to, Mapping) or not to or to.keys() - _WHOM:
        detail = f"Say for whom an event is: an object with {', '.join(sorted(_WHOM))}."
        raise InvalidEvent("invalid_options", detail, "to")
    if "event_type" not in given:
        raise InvalidEvent("invalid_options", "Say what an event is: its event_type.", "event_type")
    items = given.pop("items", None)
    return Declared(
        {Whom(whom): compiled(written, f"to.{whom}") for whom, written in to.items()},
        {name: compiled(written, name) for name, written in given.items()},
        None if items is None else _place_of_items(items),
    )


def _place_of_items(given: Any) -> Place:
    if not isinstance(given, str) or not (given.startswith("{") and given.endswith("}")):
        raise InvalidEvent("invalid_options", "Send one place, such as {data.items}.", "items")
    return place(given[1:-1], "items")


def serialized(document: Any) -> bytes:
    return _compact.encode(document).encode(errors="surrogatepass")
