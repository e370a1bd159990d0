"""Claiming deliveries by compare-and-set, with a lease: one claim allows one send, and says that it began."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from operator import attrgetter
from types import MappingProxyType
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from notifications.states import DeliveryState, HoldReason, Verdict, WaitReason
from notifications.store.due import IS_DUE, IS_NEXT, IS_OPEN, Due
from runtime.postgres.cursor import binary_cursor


class LeaseLost(Exception):
    """The row has changed since it was looked up or claimed; the result was not written."""


@dataclass(frozen=True, slots=True)
class Claimed(Due):
    """One delivery under a lease: its send begins now."""

    token: str
    lease_until: datetime


_VALUES = attrgetter(*(field.name for field in fields(Due)))

_CLAIM = f"""
WITH free AS (
    SELECT d.id, seen.until FROM notifications_delivery d
    JOIN unnest(%(ids)b::text[]::uuid[], %(attempts)b::int[], %(until)b::timestamptz[])
        AS seen(id, attempt, until) ON seen.id = d.id
    WHERE d.attempts = seen.attempt - 1 AND {{is_due}}
    ORDER BY d.id FOR UPDATE OF d {{skip_locked}}
), claimed AS (
    UPDATE notifications_delivery d
    SET state = '{DeliveryState.SENDING}', attempts = d.attempts + 1, lease_token = %(token)b,
        lease_until = free.until, ring_at = free.until, merged_into = NULL
    FROM free WHERE d.id = free.id
    RETURNING d.id, d.lease_until
)
SELECT id::text, lease_until FROM claimed
"""
_FIRST = _CLAIM.format(skip_locked="SKIP LOCKED", is_due=IS_DUE)
_FIRST_IN_LINE = _CLAIM.format(skip_locked="SKIP LOCKED", is_due=IS_NEXT)
# The answer to the first claim's commit may have been lost: what it took is returned too.
_AGAIN = f"""
{_CLAIM.format(skip_locked="", is_due=IS_NEXT)} UNION ALL
SELECT id::text, lease_until FROM notifications_delivery
WHERE id = ANY(%(ids)b::text[]::uuid[]) AND lease_token = %(token)b AND state = '{DeliveryState.SENDING}'
"""

GRACE_S = 5.0  # the sweep visits a row this long after its doorbell
SLOT_LEAD_S = 2.0  # and this long before a reserved slot, so that the doorbell can be timed exactly


def claim(
    rows: Sequence[Due],
    *,
    token: UUID,
    now: datetime,
    lease_s: float,
    shorter_s: Mapping[str, float] = MappingProxyType({}),
    again: bool = False,
) -> list[Claimed]:
    """Claim rows under this new token until `now + lease_s`, and return those whose sends may begin.

    `shorter_s`: the leases of some rows, by their ids.

    A missing row was claimed by another worker, has changed since it was looked up, or has to wait for
    an event of its keys. `again`: a claim
    under this token whose answer was lost is repeated; what it had claimed is among the result.
    """
    values: dict[str, Any] = {
        "ids": [row.delivery_id for row in rows],
        "attempts": [row.attempt for row in rows],
        "now": now,
        "token": token,
        "until": [now + timedelta(seconds=shorter_s.get(row.delivery_id, lease_s)) for row in rows],
    }
    first = _FIRST_IN_LINE if any(row.in_line for row in rows) else _FIRST
    with binary_cursor() as cursor:
        cursor.execute(_AGAIN if again else first, values)
        leases = dict(cursor.fetchall())
    return [_claimed(row, token, leases[row.delivery_id]) for row in rows if row.delivery_id in leases]


def _claimed(row: Due, token: UUID, until: datetime) -> Claimed:
    return Claimed(*[*_VALUES(row), str(token), until])


# Events before deliveries and in id order, as in every other transaction.
_LOCK_EVENTS = "SELECT FROM notifications_event WHERE id = ANY(%(events)b::bigint[]) ORDER BY id FOR UPDATE"
_MINE = f"""
SELECT count(*) FROM notifications_delivery
WHERE id = ANY(%(ids)b::text[]::uuid[]) AND lease_token = %(token)b AND state = '{DeliveryState.SENDING}'
"""
_FREE = f"""
SELECT count(*) FROM (
    SELECT FROM notifications_delivery d
    JOIN unnest(%(ids)b::text[]::uuid[], %(attempts)b::int[]) AS seen(id, attempt) ON seen.id = d.id
    WHERE d.attempts = seen.attempt - 1 AND d.digest_at IS NOT NULL AND {IS_OPEN}
      AND (SELECT e.read_at IS NULL FROM notifications_event e WHERE e.id = d.event_id)
    ORDER BY d.id FOR UPDATE OF d
) free
"""
_CLAIM_ALL = f"""
WITH claimed AS (
    UPDATE notifications_delivery d
    SET state = '{DeliveryState.SENDING}', attempts = d.attempts + 1, lease_token = %(token)b,
        lease_until = %(until)b, ring_at = %(until)b, merged_into = %(carrier)b::text::uuid
    WHERE d.id = ANY(%(ids)b::text[]::uuid[])
    RETURNING d.event_id, d.channel, d.destination_id
)
UPDATE notifications_event e
SET trace = e.trace || jsonb_build_object(
    'channel', c.channel, 'verdict', '{Verdict.MERGED}', 'reason', '{HoldReason.DIGEST}',
    'destination_id', c.destination_id, 'at', %(at)b::text, 'into', %(carrier)b::text,
    'count', %(count)b::int)
FROM claimed c WHERE e.id = c.event_id
"""


def claim_digest(
    row: Due, *, token: UUID, now: datetime, lease_s: float, again: bool = False
) -> Claimed | None:
    """Claim all deliveries of a digest for its one message, as `claim` does; None if one of them has changed.

    Each event's trace gets a line. The outcome is recorded for each delivery as for one of its own.
    """
    rows, until = [row, *row.members], now + timedelta(seconds=lease_s)
    values: dict[str, Any] = {
        "events": [one.event_pk for one in rows],
        "ids": [one.delivery_id for one in rows],
        "attempts": [one.attempt for one in rows],
        "carrier": row.delivery_id,
        "count": len(rows),
        "token": token,
        "until": until,
        "now": now,
        "at": now.isoformat(),
    }
    with transaction.atomic(), binary_cursor() as cursor:
        cursor.execute(_LOCK_EVENTS, values)
        if not (again and _count(cursor, _MINE, values) == len(rows)):
            if _count(cursor, _FREE, values) < len(rows):
                return None
            cursor.execute(_CLAIM_ALL, values)
    members = tuple(_claimed(one, token, until) for one in row.members)
    return replace(_claimed(row, token, until), members=members)


def _count(cursor: Any, statement: str, values: dict[str, Any]) -> int:
    cursor.execute(statement, values)
    [(count,)] = cursor.fetchall()
    return int(count)


_RELEASE = f"""
UPDATE notifications_delivery d
SET state = '{DeliveryState.PENDING}', attempts = d.attempts - 1, lease_token = NULL, lease_until = NULL,
    not_before = %(now)s, ring_at = LEAST(%(ring_at)s, e.expires_at), slot_at = NULL
FROM unnest(%(ids)s::uuid[], %(tokens)s::uuid[]) AS g(id, token), notifications_event e
WHERE e.id = d.event_id AND d.id = g.id AND d.lease_token = g.token AND d.state = '{DeliveryState.SENDING}'
RETURNING d.id::text
"""


def release(claimed: Sequence[Claimed], *, now: datetime) -> list[str]:
    """Undo the claim of rows whose sends did not begin after all. Return their ids.

    The caller rings their doorbells again; the sweep visits them later.
    """
    ids, tokens = id_arrays(claimed)
    values: dict[str, Any] = {
        "ids": ids,
        "tokens": tokens,
        "now": now,
        "ring_at": now + timedelta(seconds=GRACE_S),
    }
    with connection.cursor() as cursor:
        cursor.execute(_RELEASE, values)
        return [row[0] for row in cursor.fetchall()]


# The lease of a row that has ended or was given back is gone too.
UNCLAIMED = "d.lease_token IS NULL AND d.ended_at IS NULL"

_POSTPONE = f"""
UPDATE notifications_delivery d
SET wait_reason = %(reason)s, waiting_since = %(now)s, not_before = g.until,
    ring_at = LEAST(g.ring_at, e.expires_at),
    slot_at = CASE WHEN g.slot THEN g.until END
FROM unnest(%(ids)s::uuid[], %(attempts)s::int[], %(until)s::timestamptz[], %(ring_at)s::timestamptz[],
        %(slots)s::bool[]) AS g(id, attempt, until, ring_at, slot),
    notifications_event e
WHERE e.id = d.event_id AND d.id = g.id AND {UNCLAIMED} AND d.attempts = g.attempt - 1
"""


def postpone(
    rows: Sequence[Due],
    *,
    until: Sequence[datetime],
    ring_at: Sequence[datetime],
    slots: Sequence[bool],
    reason: WaitReason,
    now: datetime,
) -> None:
    """Let rows that nobody has claimed wait, each until its time; `slots`: that time is reserved.

    No attempt is counted. The sweep visits a row at its `ring_at`, or when its event expires, whichever
    comes first.
    """
    values: dict[str, Any] = {
        "ids": [row.delivery_id for row in rows],
        "attempts": [row.attempt for row in rows],
        "until": list(until),
        "ring_at": list(ring_at),
        "slots": list(slots),
        "reason": reason,
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(_POSTPONE, values)


def id_arrays(claimed: Sequence[Any]) -> list[list[str]]:
    return [[item.delivery_id for item in claimed], [item.token for item in claimed]]
