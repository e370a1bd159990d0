"""A recipient's inbox: every stored event in the order of `seq`, with its marks (seen, read, archived)."""

import json
from dataclasses import dataclass
from itertools import accumulate
from typing import NotRequired, cast

from typing_extensions import TypedDict

from notifications import store
from notifications.events import JsonObject
from notifications.live.frames import own_words, stored_content
from notifications.models import Event
from notifications.rendering import published
from notifications.rendering.render import render
from notifications.states import Channel, EventState, Evidence


@dataclass(frozen=True, slots=True)
class Position:
    """Where a person's sequence stands. Another `epoch` means that the sequence started again."""

    seq: int
    epoch: str
    unread: int


class InboxItem(TypedDict):
    seq: int
    event_id: str
    source: str
    event_type: str
    priority: str
    timestamp: int
    title: str
    body: str
    url: NotRequired[str]
    image: NotRequired[str]
    actions: NotRequired[list[JsonObject]]
    blocks: NotRequired[list[JsonObject]]
    payload: JsonObject
    topic: str
    state: EventState
    seen: bool
    read: bool
    acknowledged: bool


class Inbox(TypedDict):
    """A page of stored events, the newest first. `next_before` is `before` of the page after it."""

    items: list[InboxItem]
    unread: int
    seq: int
    epoch: str
    next_before: int | None


def position(person_id: int) -> Position:
    cursor = store.inbox.cursor_of(person_id)
    return Position(cursor.last_seq, str(cursor.epoch), unread(person_id))


def unread(person_id: int) -> int:
    return Event.objects.filter(person_id=person_id, read_at__isnull=True, archived_at__isnull=True).count()


def page(person_id: int, *, time_zone: str, locale: str, before: int | None, limit: int) -> list[InboxItem]:
    """Return up to `limit` items with a `seq` below `before`, newest first, without archived events."""
    events = Event.objects.filter(person_id=person_id, archived_at__isnull=True).order_by("-seq")
    events = events.select_related("source")
    if before is not None:
        events = events.filter(seq__lt=before)
    rows = list(events[:limit])
    published.refresh()
    return [item(event, time_zone, locale) for event in rows]


def with_totals(
    person_id: int, *, time_zone: str, locale: str, before: int | None, limit: int, size_max: int = 0
) -> Inbox:
    """Return a page, where the next one begins (None: this is the last), and the inbox's totals.

    With `size_max` the page ends before it has more bytes of JSON.
    """
    where = position(person_id)
    items = page(person_id, time_zone=time_zone, locale=locale, before=before, limit=limit)
    full = len(items) == limit
    if size_max:
        kept = within(items, size_max)
        full, items = full or len(kept) < len(items), kept
    return {
        "items": items,
        "unread": where.unread,
        "seq": where.seq,
        "epoch": where.epoch,
        "next_before": items[-1]["seq"] if items and full else None,
    }


def within(items: list[InboxItem], size_max: int) -> list[InboxItem]:
    """Return the first items that have together at most so many bytes of JSON, and at least one."""
    sizes = accumulate(len(json.dumps(item)) for item in items)
    return [item for item, size in zip(items, sizes, strict=True) if size <= size_max] or items[:1]


def item(event: Event, time_zone: str, locale: str) -> InboxItem:
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
        **cast(InboxItem, own_words(message)),
        "payload": event.payload,
        "topic": event.topic,
        "state": EventState(event.state),
        "seen": event.seen_at is not None,
        "read": event.read_at is not None,
        "acknowledged": event.evidence == Evidence.HUMAN,
    }
