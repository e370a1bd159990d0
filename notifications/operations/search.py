"""The filter of stored events, for the list, replays and the admin."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import Enum
from typing import Any

from django.db.models import QuerySet

from notifications.events import JsonObject
from notifications.models import Event
from notifications.states import EventState, Priority


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Empty fields match every event. `since` is inclusive, `until` is not; both are times of acceptance."""

    source_id: int | None = None
    source: str = ""
    event_ids: tuple[str, ...] = ()
    pks: tuple[int, ...] = ()
    user: str = ""
    event_type: str = ""
    priority: Priority | None = None
    states: tuple[EventState, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    asked: str = ""  # the operator's words, for the audit; not a condition

    def events(self) -> "QuerySet[Event]":
        wanted = {column: value for column, value in self._columns().items() if value or value == 0}
        return Event.objects.filter(**wanted)

    def _columns(self) -> dict[str, Any]:
        return {
            "source_id": self.source_id,
            "source__name": self.source,
            "event_id__in": self.event_ids,
            "pk__in": self.pks,
            "person__external_id": self.user,
            "event_type": self.event_type,
            "priority": self.priority,
            "state__in": self.states,
            "accepted_at__gte": self.since,
            "accepted_at__lt": self.until,
        }

    @property
    def named(self) -> int:
        """The number of events listed by id; 0: the filter lists none."""
        return len(self.event_ids) or len(self.pks)

    def to_json(self) -> JsonObject:
        """Return the conditions, for the audit."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: _plain(value) for name, value in given.items() if value or value == 0}


_KEPT_IDS = 100  # ids that the audit keeps of a long list, besides the count


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        kept = [_plain(item) for item in value[:_KEPT_IDS]]
        return kept if len(value) <= _KEPT_IDS else [*kept, f"and {len(value) - _KEPT_IDS} more"]
    if isinstance(value, datetime):
        return value.isoformat()
    return value.name if isinstance(value, Priority) else value.value if isinstance(value, Enum) else value


def page(which: EventFilter, *, before: int | None, limit: int) -> Sequence[Event]:
    """Return up to `limit` events with a primary key below `before`, the latest first."""
    events = which.events().select_related("person").defer("raw", "payload", "words").order_by("-pk")
    if before is not None:
        events = events.filter(pk__lt=before)
    return list(events[:limit])
