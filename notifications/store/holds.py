"""Holding deliveries back until the person's wishes allow a send, and looking at them again before."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from notifications.effects import Effects, Ring
from notifications.events import Decision, JsonObject, OpenDigest
from notifications.states import EventState, HoldReason, Priority, Verdict
from notifications.store.acceptance import default_expiry
from notifications.store.claim import UNCLAIMED
from notifications.store.due import Due
from runtime.postgres.cursor import binary_cursor


@dataclass(frozen=True, slots=True)
class Hold:
    row: Due
    until: datetime
    reason: HoldReason


def trace_line(
    row: Due, verdict: Verdict, reason: str, until: datetime | None, *, now: datetime
) -> JsonObject:
    """Return the line of the trace for what was found at `now`, after the routing."""
    return Decision(row.channel, verdict, reason, None, until).to_json() | {"at": now.isoformat()}


# An event whose producer set no expiry does not expire while it is held.
_HOLD = f"""
WITH locked AS MATERIALIZED (
    SELECT id FROM notifications_event WHERE id = ANY(%(event_pks)s) ORDER BY id FOR UPDATE
), held AS (
    UPDATE notifications_delivery d
    SET wait_reason = g.reason, waiting_since = %(now)s, not_before = g.until, ring_at = g.until,
        held_until = g.until, slot_at = NULL,
        digest_at = CASE WHEN g.reason = '{HoldReason.DIGEST}' THEN g.until ELSE d.digest_at END
    FROM unnest(%(ids)s::uuid[], %(attempts)s::int[], %(until)s::timestamptz[], %(reasons)s::text[],
            %(lines)s::text[], %(expiries)s::timestamptz[])
        AS g(id, attempt, until, reason, line, expiry), locked
    WHERE locked.id = d.event_id AND d.id = g.id AND {UNCLAIMED} AND d.attempts = g.attempt - 1
    RETURNING d.event_id, d.destination_id, g.line, g.expiry
)
UPDATE notifications_event e
SET trace = e.trace || (held.line::jsonb || jsonb_build_object('destination_id', held.destination_id)),
    expires_at = CASE WHEN e.expiry_given THEN e.expires_at ELSE GREATEST(e.expires_at, held.expiry) END
FROM held WHERE e.id = held.event_id AND e.state = '{EventState.ACCEPTED}'
"""


def hold(holds: Sequence[Hold], *, now: datetime) -> None:
    """Hold rows that nobody has claimed, each until its time, and add a line to the trace of each event."""
    values: dict[str, Any] = {
        "event_pks": [one.row.event_pk for one in holds],
        "ids": [one.row.delivery_id for one in holds],
        "attempts": [one.row.attempt for one in holds],
        "until": [one.until for one in holds],
        "reasons": [one.reason.value for one in holds],
        "lines": [
            json.dumps(trace_line(one.row, Verdict.HELD, one.reason, one.until, now=now)) for one in holds
        ],
        "expiries": [one.until + default_expiry(one.row.priority) for one in holds],
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, values)


_LOOK_AGAIN = f"""
UPDATE notifications_delivery d
SET not_before = %(now)s, ring_at = %(now)s, held_until = %(now)s
FROM notifications_event e
WHERE e.id = d.event_id AND e.person_id = %(person)s AND e.state = '{EventState.ACCEPTED}'
  AND d.held_until > %(now)s AND d.not_before = d.held_until AND {UNCLAIMED}
RETURNING d.id::text, d.priority
"""


def look_again(person_id: int, *, now: datetime) -> Effects:
    """Let what is held for a person be looked at again at once: their wishes have changed."""
    with connection.cursor() as cursor:
        cursor.execute(_LOOK_AGAIN, {"person": person_id, "now": now})
        return Effects(rings=[Ring(pk, Priority(priority)) for pk, priority in cursor.fetchall()])


_OPEN_DIGESTS = """
SELECT d.destination_id, e.event_type, min(d.digest_at)
FROM notifications_delivery d JOIN notifications_event e ON e.id = d.event_id
WHERE d.destination_id = ANY(%(ids)b::bigint[]) AND d.digest_at > %(now)b AND d.ring_at IS NOT NULL
GROUP BY d.destination_id, e.event_type
"""


def open_digests(destination_ids: Collection[int], *, now: datetime) -> list[OpenDigest]:
    """Return what waits on these destinations to be sent together."""
    with binary_cursor() as cursor:
        values: Any = {"ids": list(destination_ids), "now": now}
        cursor.execute(_OPEN_DIGESTS, values)
        return [OpenDigest(*row) for row in cursor.fetchall()]
