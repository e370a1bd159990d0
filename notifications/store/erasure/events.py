"""A person's events without the person: ended, then emptied, a chunk in each transaction.

What proves a delivery stays: ids, source, type, states, codes, times, evidence, and the number that a
provider gave to a message. The events belong to the tombstone that the person's row has become.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q

from notifications.effects import Effects
from notifications.models import Delivery, Event, InboxCursor, MessageEdit
from notifications.states import DeliveryState, EndCode, EventState, Verdict, may_become
from notifications.store.deliveries import end_delivery
from notifications.store.events import end_event
from notifications.store.inbox import create_cursors, lock_cursors


@dataclass(slots=True)
class Erased:
    """What one transaction did. `quiet_at`: until then a send that had begun may be on its way."""

    count: int = 0
    up_to: int = 0
    quiet_at: datetime | None = None
    effects: Effects = field(default_factory=Effects)


@contextmanager
def closing(person_id: int) -> Iterator[None]:
    """Let no event of the person be accepted any more; the block marks them as erased.

    The cursor is locked before the person's row, as in every acceptance, so that none deadlocks with it.
    """
    create_cursors([person_id])
    with transaction.atomic():
        lock_cursors([person_id])
        yield
        InboxCursor.objects.filter(person_id=person_id).delete()


def end_open(person_id: int, *, now: datetime, limit: int) -> Erased:
    """End up to `limit` of the person's events and deliveries that are open. `count` 0: none is left."""
    is_open = Delivery.objects.filter(event=OuterRef("pk"), ended_at=None)
    found = Event.objects.filter(Q(state=EventState.ACCEPTED) | Exists(is_open), person_id=person_id)
    with transaction.atomic():
        pks = list(found.values_list("pk", flat=True)[:limit])
        return _end(_locked(pks), now)


def erase_events(person_id: int, *, after: int, now: datetime, limit: int) -> Erased:
    """Erase up to `limit` events with a greater seq than `after`. `count` 0: none is left."""
    later = Event.objects.filter(person_id=person_id, seq__gt=after).order_by("seq")
    with transaction.atomic():
        events = _locked(list(later.values_list("pk", flat=True)[:limit]))
        done = _end(events, now)  # a replay may have opened one again
        if events:
            done.up_to = max(event.seq for event in events)
            _empty([event.pk for event in events])
        return done


def _locked(pks: list[int]) -> list[Event]:
    """Lock events before their deliveries and in id order, as every other transaction does."""
    rows = Event.objects.select_for_update().filter(pk__in=pks).order_by("pk")
    return list(rows.only("pk", "seq", "state", "reply_to"))


def _end(events: list[Event], now: datetime) -> Erased:
    """Cancel what is open. A worker that has claimed a row cannot write its result any more."""
    pks = [event.pk for event in events]
    rows = Delivery.objects.filter(
        event__in=pks, ended_at=None, state__in=may_become(DeliveryState.CANCELLED)
    )
    sending = rows.filter(state=DeliveryState.SENDING).values_list("lease_until", flat=True)
    edits = MessageEdit.objects.filter(delivery__event__in=pks)
    leases = [*sending, *edits.values_list("lease_until", flat=True)]
    done = Erased(len(events), quiet_at=max(filter(None, leases), default=None))
    edits.delete()
    end_delivery(rows, DeliveryState.CANCELLED, now=now, error=EndCode.ERASED)
    for event in events:
        if event.state == EventState.ACCEPTED:
            done.effects.add(end_event(event, EventState.FAILED, now=now, code=EndCode.ERASED))
    return done


# Which channels there were stays, for the ack. Why is the word of the person or of a provider.
_EMPTY_EVENTS = f"""
UPDATE notifications_event SET
    payload = '{{}}', words = NULL, raw = '', digest = '', correlation_id = '', collapse_key = '',
    ordering_key = '', metadata = '{{}}', channels = '[]', topic = '', silent = false,
    plan = (SELECT COALESCE(jsonb_agg(jsonb_build_object(
        'channel', s.step->'channel', 'destination_id', NULL, 'replay', COALESCE(s.step->'replay', '0'))
        ORDER BY s.number), '[]') FROM jsonb_array_elements(plan) WITH ORDINALITY AS s(step, number)),
    trace = (SELECT COALESCE(jsonb_agg(jsonb_build_object(
        'channel', s.line->'channel', 'destination_id', NULL, 'replay', COALESCE(s.line->'replay', '0'),
        'verdict', s.line->'verdict',
        'reason', CASE WHEN s.line->>'verdict' = '{Verdict.SKIPPED}' THEN '{EndCode.ERASED}' ELSE '' END)
        ORDER BY s.number), '[]') FROM jsonb_array_elements(trace) WITH ORDINALITY AS s(line, number))
WHERE id = ANY(%s)
"""
_EMPTY_DELIVERIES = f"""
UPDATE notifications_delivery SET destination_id = NULL, held_until = NULL, wait_reason = '',
    error = CASE WHEN error = '{EndCode.ERASED}' THEN error ELSE '' END
WHERE event_id = ANY(%s)
"""
_EMPTY_ATTEMPTS = """
UPDATE notifications_attempt a SET error = '' FROM notifications_delivery d
WHERE a.delivery_id = d.id AND d.event_id = ANY(%s) AND a.error <> ''
"""


def _empty(pks: list[int]) -> None:
    with connection.cursor() as cursor:
        for statement in (_EMPTY_EVENTS, _EMPTY_DELIVERIES, _EMPTY_ATTEMPTS):
            cursor.execute(statement, [pks])
