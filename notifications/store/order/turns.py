"""Whose turn it is: a send begins once the earlier events of its keys have ended.

With one `ordering_key`, earlier is by `seq`. With one `collapse_key`, earlier is what is older: it has ended
too when the newer one was accepted, unless it is more urgent, but its send may be in flight.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from notifications.effects import Ring
from notifications.events import Decision, JsonObject
from notifications.states import (
    DELIVERY_WAITING,
    Channel,
    DeliveryState,
    EventState,
    FailureKind,
    Priority,
    Verdict,
    WaitReason,
    sql_list,
)

LOOKED_AT = 12  # events of a key that are counted before one that waits
_LOOKED_AT_CRITICAL = 2
_LOOK_AGAIN_S = 5.0  # without a doorbell, for each of them: the next one is looked at soon, and few are

HAS_KEY = "(e.ordering_key <> '' OR e.collapse_key <> '')"

# As in the conditions of the indexes `event_in_order` and `event_to_collapse`.
_UNFINISHED = f"(b.state = '{EventState.ACCEPTED}' OR b.in_flight_until IS NOT NULL)"
_IN_FLIGHT = f"o.state = '{DeliveryState.SENDING}' AND o.channel <> {Channel.WEB}"

_D = "notifications_delivery"
_LEFT_FOR_ORDER = (
    f"(SELECT true FROM {_D} w WHERE w.event_id = e.id AND w.state = '{DeliveryState.SKIPPED}'"
    f" AND w.failure_kind = '{FailureKind.TEMPORARY}' AND w.wait_reason = '{WaitReason.ORDER}' LIMIT 1)"
)
# CRITICAL does not wait for what the person's own wishes hold back, unless that is as urgent. Once it has
# left a channel in order not to wait, it waits only for events on its own channel.
_CRITICAL_WAITS = (
    f"(SELECT (b.priority = {Priority.CRITICAL:d} OR o.held_until IS NULL OR o.held_until <= %(now)b)"
    f" AND (o.channel = d.channel OR {_LEFT_FOR_ORDER} IS NULL)"
    f" FROM {_D} o WHERE o.event_id = b.id AND o.ended_at IS NULL LIMIT 1) IS NOT FALSE"
)
_HOLDS_BACK = f"""
    CASE WHEN b.state = '{EventState.ACCEPTED}' THEN d.priority < {Priority.CRITICAL:d} OR {_CRITICAL_WAITS}
    ELSE b.in_flight_until > %(now)b AND (
        SELECT true FROM {_D} o WHERE o.event_id = b.id AND {_IN_FLIGHT} AND o.lease_until > %(now)b LIMIT 1
    ) IS TRUE END
"""

# The events before a delivery `d` of an event `e`. A page has every event of its person in the order of
# `seq`, so nothing waits there. The statements in which it stands evaluate it for events with a key alone.
AHEAD = f"""(
    SELECT b.event_id, b.priority FROM notifications_event b
    WHERE b.person_id = e.person_id AND b.source_id = e.source_id AND b.ordering_key = e.ordering_key
      AND b.ordering_key <> '' AND {_UNFINISHED} AND b.seq < e.seq AND {_HOLDS_BACK}
    UNION ALL
    SELECT b.event_id, b.priority FROM notifications_event b
    WHERE b.person_id = e.person_id AND b.source_id = e.source_id AND b.collapse_key = e.collapse_key
      AND b.collapse_key <> '' AND {_UNFINISHED} AND (b.version, b.seq) < (e.version, e.seq) AND {_HOLDS_BACK}
    LIMIT {LOOKED_AT}
)"""

# An event that has just ended may have a send in flight: its row keeps the lease, and this is its end.
MARK_IN_FLIGHT = f"""
UPDATE notifications_event e SET in_flight_until = o.lease_until FROM {_D} o
WHERE e.id = ANY(%(ids)b::bigint[]) AND {HAS_KEY} AND o.event_id = e.id AND {_IN_FLIGHT}
"""

_NEXT = f"""
SELECT d.id::text, d.priority FROM unnest(%(ids)s::bigint[]) AS f(id)
JOIN notifications_event e ON e.id = f.id
CROSS JOIN LATERAL (
    (SELECT b.id FROM notifications_event b
    WHERE b.person_id = e.person_id AND b.source_id = e.source_id AND b.ordering_key = e.ordering_key
      AND b.ordering_key <> '' AND {_UNFINISHED} AND b.state = '{EventState.ACCEPTED}' AND b.seq > e.seq
    ORDER BY b.seq LIMIT 1)
    UNION
    (SELECT b.id FROM notifications_event b
    WHERE b.person_id = e.person_id AND b.source_id = e.source_id AND b.collapse_key = e.collapse_key
      AND b.collapse_key <> '' AND {_UNFINISHED} AND b.state = '{EventState.ACCEPTED}'
      AND (b.version, b.seq) > (e.version, e.seq)
    ORDER BY b.version, b.seq LIMIT 1)
) n JOIN {_D} d ON d.event_id = n.id
WHERE d.state IN ({sql_list(sorted(DELIVERY_WAITING))}) AND d.ended_at IS NULL AND d.not_before <= %(now)s
"""


def next_in_line(event_pks: Sequence[int], *, now: datetime) -> list[Ring]:
    """Return doorbells for what may go on now that these events, or their sends, have ended."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, {"ids": list(event_pks), "now": now})
        return [Ring(pk, Priority(priority)) for pk, priority in cursor.fetchall()]


def look_again_at(ahead: int, priority: Priority, *, now: datetime) -> datetime:
    """Return when the sweep rings for an event with so many before it, should its doorbell be lost.

    For CRITICAL also in order that it may leave its channel in time.
    """
    at_most = _LOOKED_AT_CRITICAL if priority is Priority.CRITICAL else LOOKED_AT
    return now + timedelta(seconds=_LOOK_AGAIN_S * min(ahead, at_most))


def trace_line(channel: int, destination_id: int | None, behind: str, *, now: datetime) -> JsonObject:
    """Return the line of the trace for an event that waits for the one before it."""
    line = Decision(Channel(channel), Verdict.HELD, WaitReason.ORDER, destination_id).to_json()
    return line | {"behind": behind, "at": now.isoformat()}


_WAIT = f"""
WITH seen AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(attempts)s::int[], %(ring_at)s::timestamptz[], %(lines)s::text[])
        AS g(id, attempt, ring_at, line)
), locked AS MATERIALIZED (
    SELECT id, expires_at FROM notifications_event WHERE id = ANY(%(event_pks)s) ORDER BY id FOR UPDATE
), was AS MATERIALIZED (
    SELECT d.id, d.wait_reason FROM {_D} d JOIN seen ON seen.id = d.id
), waits AS (
    UPDATE {_D} d SET wait_reason = '{WaitReason.ORDER}', slot_at = NULL,
        waiting_since = CASE was.wait_reason WHEN '{WaitReason.ORDER}' THEN d.waiting_since ELSE %(now)s END,
        ring_at = LEAST(seen.ring_at, locked.expires_at)
    FROM seen JOIN was ON was.id = seen.id, locked
    WHERE d.id = seen.id AND locked.id = d.event_id AND d.attempts = seen.attempt - 1
      AND d.lease_token IS NULL AND d.ended_at IS NULL
    RETURNING d.event_id, d.destination_id, was.wait_reason, seen.line
)
UPDATE notifications_event e
SET trace = e.trace || (w.line::jsonb || jsonb_build_object('destination_id', w.destination_id))
FROM waits w WHERE e.id = w.event_id AND w.wait_reason <> '{WaitReason.ORDER}'
"""


def wait_for_turn(
    rows: Sequence[Any], *, ring_at: Sequence[datetime], lines: Sequence[JsonObject], now: datetime
) -> None:
    """Let rows that nobody has claimed wait for their turn. The first wait adds its line to the trace.

    A row stays due: the end of the event before it rings its doorbell, with the sweep as its backup.
    """
    values: dict[str, Any] = {
        "event_pks": [row.event_pk for row in rows],
        "ids": [row.delivery_id for row in rows],
        "attempts": [row.attempt for row in rows],
        "ring_at": list(ring_at),
        "lines": [json.dumps(line) for line in lines],
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_WAIT, values)
