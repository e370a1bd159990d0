"""Confirmations by a person's client, and acknowledgements by the person: the strongest evidence."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from notifications.effects import Effects
from notifications.events import EventRef
from notifications.models import Event
from notifications.states import Channel, DeliveryState, EventState, Evidence, sql_list
from notifications.store import edits
from notifications.store.deliveries import ENDED_AT
from notifications.store.naming import MEANT, changed, references
from notifications.store.order import HAS_KEY, MARK_IN_FLIGHT
from runtime.failpoints import failpoint
from runtime.postgres.cursor import binary_cursor

_D = DeliveryState
_REACHABLE = sql_list([EventState.ACCEPTED, EventState.DELIVERED])
_CONFIRMABLE = sql_list([_D.PENDING, _D.SENDING, _D.SENT, _D.FAILED])
_PRESSABLE = sql_list([_D.PENDING, _D.SENDING, _D.SENT, _D.DEFERRED, _D.UNKNOWN, _D.FAILED])
_CANCELLABLE = sql_list([_D.PENDING, _D.DEFERRED, _D.UNKNOWN])

_FIND = f"""{MEANT}
SELECT e.id, e.state = '{EventState.ACCEPTED}', e.reply_to, e.person_id, m.position, e.seq, s.name,
    e.event_id, {HAS_KEY}
FROM meant m JOIN notifications_event e ON e.id = m.id JOIN users_source s ON s.id = e.source_id
"""
_FIND_UNCONFIRMED = f"{_FIND} WHERE e.confirmed_at IS NULL ORDER BY e.id FOR UPDATE OF e"
_FIND_ALL = f"{_FIND} ORDER BY e.id FOR UPDATE OF e"

_CONFIRM_EVENTS = f"""
UPDATE notifications_event SET confirmed_at = %(now)s,
    delivered_via = CASE WHEN state = '{EventState.ACCEPTED}' THEN {Channel.WEB} ELSE delivered_via END,
    evidence = CASE WHEN state = '{EventState.ACCEPTED}' THEN '{Evidence.CLIENT}' ELSE evidence END,
    final_at = CASE WHEN state = '{EventState.ACCEPTED}' THEN %(now)s ELSE final_at END,
    state = CASE WHEN state = '{EventState.ACCEPTED}' THEN '{EventState.DELIVERED}' ELSE state END
WHERE id = ANY(%(ids)b::bigint[])
"""

# An end does not change; only the evidence of a delivered event gets stronger.
_ACKNOWLEDGE_EVENTS = f"""
UPDATE notifications_event SET acknowledged_at = %(now)s, confirmed_at = COALESCE(confirmed_at, %(now)s),
    seen_at = COALESCE(seen_at, %(now)s), read_at = COALESCE(read_at, %(now)s),
    delivered_via = CASE WHEN state = '{EventState.ACCEPTED}' THEN %(via)s ELSE delivered_via END,
    evidence = CASE WHEN state IN ({_REACHABLE}) THEN '{Evidence.HUMAN}' ELSE evidence END,
    final_at = CASE WHEN state = '{EventState.ACCEPTED}' THEN %(now)s ELSE final_at END,
    state = CASE WHEN state = '{EventState.ACCEPTED}' THEN '{EventState.DELIVERED}' ELSE state END
WHERE id = ANY(%(ids)b::bigint[]) AND acknowledged_at IS NULL
"""

# Only deliveries since the last replay: earlier failures stay.
_CONFIRM_DELIVERIES = f"""
UPDATE notifications_delivery d SET state = '{DeliveryState.CONFIRMED}', {ENDED_AT} %(now)s
FROM notifications_event e
WHERE d.event_id = ANY(%(ids)b::bigint[]) AND e.id = d.event_id AND d.replay = e.replay_count
  AND d.channel = {Channel.WEB} AND d.state IN ({_CONFIRMABLE})
"""

# The message whose button was pressed, even if its send failed or its outcome was unknown.
_CONFIRM_PRESSED = f"""
UPDATE notifications_delivery d SET state = '{DeliveryState.CONFIRMED}', {ENDED_AT} %(now)s
FROM notifications_event e
WHERE d.id = %(pressed)s AND e.id = d.event_id AND d.replay = e.replay_count
  AND e.acknowledged_at = %(now)s AND d.state IN ({_PRESSABLE})
"""

# A send in flight is left to its worker, which finds the event ended and changes nothing.
_CANCEL_OTHERS = f"""
UPDATE notifications_delivery SET state = '{DeliveryState.CANCELLED}', {ENDED_AT} %(now)s
WHERE event_id = ANY(%(ids)b::bigint[]) AND channel <> {Channel.WEB} AND ring_at IS NOT NULL
  AND state IN ({_CANCELLABLE})
"""


class UnknownEvent(Exception):
    """The person has no such event."""


class AmbiguousEvent(Exception):
    """Several sources have used this id for the person, and the reference names no source."""


def confirm(confirmations: Sequence[tuple[int, EventRef]], *, now: datetime) -> Effects:
    """Record that the clients of persons have these events: pairs of person id and reference.

    An event that has not ended becomes DELIVERED via WEB with CLIENT evidence, and its deliveries on other
    channels are cancelled unless a send is in flight. A late confirmation is recorded and changes no end.
    References to unknown events, to those of other persons and ambiguous ones are ignored.
    """
    with transaction.atomic(), binary_cursor() as cursor:
        cursor.execute(_FIND_UNCONFIRMED, references(confirmations))
        found = cursor.fetchall()
        return _end_with(cursor, _CONFIRM_EVENTS, found, now) if found else Effects()


@dataclass(frozen=True, slots=True)
class Pressed:
    """The message with whose button the person acknowledges an event: its delivery, and the channel."""

    delivery_id: uuid.UUID
    channel: Channel


def acknowledge(person_id: int, ref: EventRef, *, now: datetime, pressed: Pressed | None = None) -> Effects:
    """Record that the person has acknowledged the event: HUMAN evidence, seen and read. Idempotent.

    An event that has not ended becomes DELIVERED via WEB, as with `confirm`, or via the channel of the
    message that was `pressed`; one that was delivered gets the stronger evidence and keeps its channel; for
    any other end only the time is recorded. Its messages in chats will be edited to show it.

    Raises: `UnknownEvent`, `AmbiguousEvent`.
    """
    with transaction.atomic(), binary_cursor() as cursor:
        cursor.execute(_FIND_ALL, references([(person_id, ref)]))
        found = cursor.fetchall()
        if found:
            return _end_acknowledged(cursor, found, pressed, now)
    if isinstance(ref, str) and Event.objects.filter(person_id=person_id, event_id=ref).exists():
        raise AmbiguousEvent(ref)
    raise UnknownEvent(ref)


def _end_acknowledged(
    cursor: Any, found: list[tuple[Any, ...]], pressed: Pressed | None, now: datetime
) -> Effects:
    via = Channel.WEB if pressed is None else pressed.channel
    effects = _end_with(cursor, _ACKNOWLEDGE_EVENTS, found, now, via=via)
    if pressed is not None:
        cursor.execute(_CONFIRM_PRESSED, {"pressed": pressed.delivery_id, "now": now})
    effects.edits = edits.want_acknowledged([row[0] for row in found], now=now)
    return effects


def _end_with(
    cursor: Any, update: str, found: list[tuple[Any, ...]], now: datetime, *, via: Channel = Channel.WEB
) -> Effects:
    """Run `update` on the locked events, rows of `_FIND`."""
    given: Any = {"now": now, "ids": [row[0] for row in found], "via": int(via)}
    cursor.execute(update, given)
    cursor.execute(_CONFIRM_DELIVERIES, given)
    cursor.execute(_CANCEL_OTHERS, given)
    freed = [row[0] for row in found if row[-1] and row[1]]
    if freed:
        cursor.execute(MARK_IN_FLIGHT, given | {"ids": freed})
    failpoint("confirm_before_commit")
    ended = [row for row in found if row[1]]
    return Effects(
        finals=[row[0] for row in ended],
        confirmed=[changed(*row[3:-1]) for row in found],
        freed=freed,
        replies=any(row[2] for row in ended),
    )
