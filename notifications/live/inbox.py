"""A recipient's inbox: every stored event in the order of `seq`, with its marks (seen, read, archived)."""

from dataclasses import dataclass

from notifications import store
from notifications.events import JsonObject
from notifications.live.frames import own_words, stored_content
from notifications.models import Event
from notifications.rendering import published
from notifications.rendering.render import render
from notifications.states import Channel


@dataclass(frozen=True, slots=True)
class Position:
    """Where a person's sequence stands. Another `epoch` means that the sequence started again."""

    seq: int
    epoch: str
    unread: int


def position(person_id: int) -> Position:
    cursor = store.inbox.cursor_of(person_id)
    return Position(cursor.last_seq, str(cursor.epoch), unread(person_id))


def unread(person_id: int) -> int:
    return Event.objects.filter(person_id=person_id, read_at__isnull=True, archived_at__isnull=True).count()


def page(person_id: int, *, time_zone: str, locale: str, before: int | None, limit: int) -> list[JsonObject]:
    """Return up to `limit` items with a `seq` below `before`, newest first, without archived events."""
    events = Event.objects.filter(person_id=person_id, archived_at__isnull=True).order_by("-seq")
    events = events.select_related("source")
    if before is not None:
        events = events.filter(seq__lt=before)
    rows = list(events[:limit])
    published.refresh()
    return [item(event, time_zone, locale) for event in rows]


def item(event: Event, time_zone: str, locale: str) -> JsonObject:
    content = stored_content(event, time_zone, locale)
    message = render(content, Channel.WEB, key=event.event_id)
    return {
        "seq": event.seq,
        "event_id": event.event_id,
        "source": event.source.name,
        "event_type": event.event_type,
        "priority": content.priority.name,
        "timestamp": content.timestamp_ms,
        "title": message.title,
        "body": message.text,
        **own_words(message),
        "payload": event.payload,
        "topic": event.topic,
        "state": event.state,
        "seen": event.seen_at is not None,
        "read": event.read_at is not None,
    }
