"""Session recovery: the events after a client's `seq`, read from Postgres, as the frames it missed."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from notifications.events import EventName
from notifications.live import inbox
from notifications.live.frames import Head, event_frame, stored_content, to_ms
from notifications.models import Delivery, Event, InboxCursor
from notifications.rendering import published
from notifications.settings import pipeline_settings
from notifications.states import Channel, DeliveryState, EventState

PAGE = 300
SNAPSHOT_ITEMS = 50
SNAPSHOT_BYTES = 1024 * 1024
_COLUMNS = (
    "id",
    "seq",
    "event_id",
    "source__name",
    "source__link_hosts",
    "event_type",
    "priority",
    "occurred_at",
    "payload",
    "words",
    "silent",
    "state",
    "topic",
)


@dataclass(frozen=True, slots=True)
class Resume:
    """The position from which a client asks to resume."""

    seq: int
    epoch: str


@dataclass(frozen=True, slots=True)
class SessionStart:
    """How a session begins. Events with a `seq` above `after` are sent to the client.

    `items` is the newest part of the inbox, for a client that cannot resume; otherwise None.
    """

    position: inbox.Position
    recovered: bool
    after: int
    items: list[inbox.InboxItem] | None = None


@dataclass(frozen=True, slots=True)
class Missed:
    """Frames in ascending `seq`, complete from the requested `seq` up to `through`."""

    frames: list[tuple[Head, bytes]]
    through: int


def begin(
    person_id: int, resume: Resume | None, *, resume_asked: bool, time_zone: str, locale: str
) -> SessionStart:
    """Decide how a session begins. `resume_asked`: it asked to, even if its resume data is unusable."""
    position = inbox.position(person_id)
    if resume is not None and _serveable(resume, position):
        return SessionStart(position, True, resume.seq)
    if not resume_asked:
        return SessionStart(position, False, position.seq)
    # Only up to the position: newer events follow as frames.
    before = position.seq + 1
    items = inbox.page(person_id, time_zone=time_zone, locale=locale, before=before, limit=SNAPSHOT_ITEMS)
    # The oldest are dropped if they are very large: all of them have to fit into one frame.
    return SessionStart(position, False, position.seq, inbox.within(items, SNAPSHOT_BYTES))


def _serveable(resume: Resume, position: inbox.Position) -> bool:
    missed = position.seq - resume.seq
    return resume.epoch == position.epoch and 0 <= missed <= pipeline_settings().resume_max_events


def missed(person_id: int, *, after: int, limit: int, time_zone: str, locale: str) -> Missed:
    """Return the first `limit` events after `after`. The frame of an ended event has no `ack_by`."""
    # Read the cursor first: it commits with its events, so all events up to it are visible afterwards.
    last = InboxCursor.objects.values_list("last_seq", flat=True).get(person_id=person_id)
    rows = (
        Event.objects.filter(person_id=person_id, seq__gt=after, seq__lte=last)
        .exclude(state=EventState.SUPERSEDED)
        .order_by("seq")
        .select_related("source")
    )
    events = list(rows.only(*_COLUMNS)[:limit])
    published.refresh()
    deadlines = _deadlines([event.pk for event in events if event.state == EventState.ACCEPTED])
    frames = [_frame(event, deadlines.get(event.pk), time_zone, locale) for event in events]
    through = events[-1].seq if len(events) == limit else max(last, after)
    return Missed(frames, through)


def _deadlines(event_pks: list[int]) -> dict[int, datetime]:
    """Return the confirmation deadlines of the events that were pushed to a page."""
    rows = Delivery.objects.filter(
        event_id__in=event_pks,
        channel=Channel.WEB,
        state__in=[DeliveryState.SENDING, DeliveryState.SENT],
        ack_deadline__isnull=False,
    )
    return {pk: deadline for pk, deadline in rows.values_list("event_id", "ack_deadline") if deadline}


def _frame(event: Event, ack_by: datetime | None, time_zone: str, locale: str) -> tuple[Head, bytes]:
    frame = event_frame(stored_content(event, time_zone, locale), ack_by=ack_by)
    name = EventName(event.source.name, event.event_id)
    return Head(event.seq, name, to_ms(ack_by) if ack_by else 0), frame


def heads(person_ids: Iterable[int]) -> dict[int, tuple[int, str]]:
    """Return the last `seq` and the epoch of each user, in one query."""
    rows = InboxCursor.objects.filter(person_id__in=set(person_ids))
    found: list[tuple[int, int, uuid.UUID]] = list(rows.values_list("person_id", "last_seq", "epoch"))
    return {person_id: (seq, str(epoch)) for person_id, seq, epoch in found}
