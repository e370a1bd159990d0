"""Confirmations by a person's client, and acknowledgements by the person: the strongest evidence."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from notifications.events import Effects
from notifications.states import Channel, DeliveryState, EventState, Evidence, sql_list
from notifications.store.deliveries import ENDED_AT
from runtime.failpoints import failpoint
from runtime.postgres.cursor import binary_cursor

_D = DeliveryState
_REACHABLE = sql_list([EventState.ACCEPTED, EventState.DELIVERED])
_CONFIRMABLE = sql_list([_D.PENDING, _D.SENDING, _D.SENT, _D.FAILED])
_CANCELLABLE = sql_list([_D.PENDING, _D.DEFERRED, _D.UNKNOWN])

_FIND = f"""
SELECT e.id, e.state = '{EventState.ACCEPTED}', e.person_id, e.event_id, e.reply_to
FROM notifications_event e
JOIN unnest(%b::bigint[], %b::text[]) AS g(person_id, event_id)
  ON e.person_id = g.person_id AND e.event_id = g.event_id
WHERE e.confirmed_at IS NULL ORDER BY e.id FOR UPDATE OF e
"""

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
    delivered_via = CASE WHEN state = '{EventState.ACCEPTED}' THEN {Channel.WEB} ELSE delivered_via END,
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

# A send in flight is left to its worker, which finds the event ended and changes nothing.
_CANCEL_OTHERS = f"""
UPDATE notifications_delivery SET state = '{DeliveryState.CANCELLED}', {ENDED_AT} %(now)s
WHERE event_id = ANY(%(ids)b::bigint[]) AND channel <> {Channel.WEB} AND ring_at IS NOT NULL
  AND state IN ({_CANCELLABLE})
"""


class UnknownEvent(Exception):
    """The person has no such event."""


def confirm(confirmations: Sequence[tuple[int, str]], *, now: datetime) -> Effects:
    """Record that the clients of persons have these events: pairs of person id and event id.

    An event that has not ended becomes DELIVERED via WEB with CLIENT evidence, and its deliveries on other
    channels are cancelled unless a send is in flight. A late confirmation is recorded and changes no end.
    Ids of other persons and unknown ids are ignored.
    """
    people, event_ids = zip(*confirmations, strict=True)
    with transaction.atomic(), binary_cursor() as cursor:
        cursor.execute(_FIND, [list(people), list(event_ids)])
        found = cursor.fetchall()
        return _end_with(cursor, _CONFIRM_EVENTS, found, now) if found else Effects()


_FIND_ONE = f"""
SELECT id, state = '{EventState.ACCEPTED}', person_id, event_id, reply_to FROM notifications_event
WHERE person_id = %s AND event_id = %s ORDER BY id FOR UPDATE
"""


def acknowledge(person_id: int, event_id: str, *, now: datetime) -> Effects:
    """Record that the person has acknowledged the event: HUMAN evidence, seen and read. Idempotent.

    An event that has not ended becomes DELIVERED via WEB, as with `confirm`; one that was delivered gets
    the stronger evidence and keeps its channel; for any other end only the time is recorded.

    Raises: `UnknownEvent`.
    """
    with transaction.atomic(), binary_cursor() as cursor:
        cursor.execute(_FIND_ONE, [person_id, event_id])
        found = cursor.fetchall()
        if not found:
            raise UnknownEvent(event_id)
        return _end_with(cursor, _ACKNOWLEDGE_EVENTS, found, now)


def _end_with(cursor: Any, update: str, found: list[tuple[Any, ...]], now: datetime) -> Effects:
    """Run `update` on the locked events, rows of (id, unfinished, person id, event id, reply to)."""
    given: Any = {"now": now, "ids": [row[0] for row in found]}
    cursor.execute(update, given)
    cursor.execute(_CONFIRM_DELIVERIES, given)
    cursor.execute(_CANCEL_OTHERS, given)
    failpoint("confirm_before_commit")
    confirmed = list(dict.fromkeys((row[2], row[3]) for row in found))
    ended = [row for row in found if row[1]]
    replies = any(row[4] for row in ended)
    return Effects(finals=[row[0] for row in ended], confirmed=confirmed, replies=replies)
