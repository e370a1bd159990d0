"""A recipient's inbox: every stored event in the order of `seq`, with its marks (seen, read, archived)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from notifications.events import JsonObject
from notifications.live.frames import stored_content
from notifications.models import Event, InboxCursor
from notifications.rendering.render import render
from notifications.states import Channel

MARKS = {"seen": "seen_at", "read": "read_at", "archive": "archived_at"}


@dataclass(frozen=True, slots=True)
class Position:
    """The end of a recipient's sequence. A new `epoch` means that the sequence was restarted."""

    seq: int
    epoch: str
    unread: int


def position(person_id: int) -> Position:
    cursor = InboxCursor.objects.filter(person_id=person_id).first()
    if cursor is None:
        cursor, _ = InboxCursor.objects.get_or_create(person_id=person_id)
    return Position(cursor.last_seq, str(cursor.epoch), unread(person_id))


def unread(person_id: int) -> int:
    return Event.objects.filter(person_id=person_id, read_at__isnull=True, archived_at__isnull=True).count()


def page(person_id: int, *, time_zone: str, before: int | None, limit: int) -> list[JsonObject]:
    """Return up to `limit` items with a `seq` below `before`, newest first, without archived events."""
    events = Event.objects.filter(person_id=person_id, archived_at__isnull=True).order_by("-seq")
    if before is not None:
        events = events.filter(seq__lt=before)
    return [item(event, time_zone) for event in events[:limit]]


def item(event: Event, time_zone: str) -> JsonObject:
    content = stored_content(event, time_zone)
    message = render(content, Channel.WEB, key=event.event_id)
    return {
        "seq": event.seq,
        "event_id": event.event_id,
        "event_type": event.event_type,
        "priority": content.priority.name,
        "timestamp": content.timestamp_ms,
        "title": message.title,
        "body": message.text,
        "payload": event.payload,
        "topic": event.topic,
        "state": event.state,
        "seen": event.seen_at is not None,
        "read": event.read_at is not None,
    }


def mark(person_id: int, event_ids: Sequence[str], what: str, *, now: datetime) -> list[str]:
    """Mark events as seen, read or archived (keys of `MARKS`). Return the ids that changed.

    Unknown ids and ids of other recipients change nothing. Read and archived imply seen.
    """
    column = MARKS[what]
    events = Event.objects.filter(
        person_id=person_id, event_id__in=list(event_ids), **{f"{column}__isnull": True}
    )
    changed = list(events.values_list("pk", "event_id"))
    rows = Event.objects.filter(pk__in=[pk for pk, _ in changed])
    rows.filter(seen_at__isnull=True).update(seen_at=now)
    rows.update(**{column: now})
    return [event_id for _, event_id in changed]
