"""Claiming deliveries by compare-and-set, with a lease: one claim allows one send."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from notifications.events import JsonObject
from notifications.states import Channel, DeliveryState, EventState, Priority
from users.encryption import decrypt


class LeaseLost(Exception):
    """The lease had expired and the row has changed since; the late result was not written."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """One delivery under a lease, with everything an attempt needs: no further query."""

    delivery_id: str
    token: str
    attempt: int
    lease_until: datetime
    channel: Channel
    priority: Priority
    possible_duplicate: bool
    event_pk: int
    event_id: str
    seq: int
    event_type: str
    payload: JsonObject
    occurred_at: datetime
    ack_timeout_ms: int
    person_id: int
    time_zone: str
    address: str  # "" for WEB, and where the destination is gone
    topic: str
    source: str
    unusable: str  # why the destination may not be used any more
    position: int = 0  # of this step in the event's plan
    last: bool = False  # the plan has no further step
    has_slot: bool = False  # its reserved slot within the rate limit has come


# One statement also reads what the attempt needs: this is the hottest query of a worker.
_CLAIM = f"""
WITH free AS (
    SELECT d.id FROM notifications_delivery d JOIN notifications_event e ON e.id = d.event_id
    WHERE d.id = ANY(%(ids)s::uuid[]) AND d.state = ANY(%(from)s) AND d.ended_at IS NULL
      AND d.not_before <= %(now)s AND d.attempts < %(max_tries)s
      AND e.state = '{EventState.ACCEPTED}' AND e.expires_at > %(now)s
    ORDER BY d.id FOR UPDATE OF d SKIP LOCKED
), claimed AS (
    UPDATE notifications_delivery d
    SET state = '{DeliveryState.SENDING}', attempts = d.attempts + 1, lease_token = gen_random_uuid(),
        lease_until = %(until)s, ring_at = %(until)s
    FROM free WHERE d.id = free.id
    RETURNING d.*
)
SELECT d.id::text, d.lease_token::text, d.attempts, d.lease_until, d.channel, d.priority,
    d.possible_duplicate, e.id, e.event_id, e.seq, e.event_type, e.payload, e.occurred_at, e.ack_timeout_ms,
    e.person_id, p.time_zone, COALESCE(a.address, ''), e.topic, s.name,
    CASE WHEN d.channel = {Channel.WEB} THEN ''
        WHEN a.id IS NULL THEN 'the destination was removed'
        WHEN a.disabled_at IS NOT NULL THEN 'disabled: ' || a.disabled_reason ELSE '' END,
    d.position, d.position + 1 >= jsonb_array_length(e.plan),
    COALESCE(d.slot_at > %(slot_kept_since)s, false)
FROM claimed d JOIN notifications_event e ON e.id = d.event_id JOIN users_user p ON p.id = e.person_id
JOIN users_source s ON s.id = e.source_id
LEFT JOIN users_destination a ON a.id = d.destination_id
ORDER BY d.event_id, d.position
"""

GRACE_S = 5.0  # the sweep visits a row this long after its doorbell
SLOT_LEAD_S = 2.0  # and this long before a reserved slot, so that the doorbell can be timed exactly
# A claim may come a little after its slot; slots that passed long ago would add up to a burst.
_SLOT_KEPT = timedelta(seconds=GRACE_S)
_CLAIMABLE = [DeliveryState.PENDING, DeliveryState.DEFERRED, DeliveryState.UNKNOWN]


def claim(ids: Sequence[str], *, now: datetime, lease_s: float, max_tries: int) -> list[Claimed]:
    """Claim what is due among `ids` until `now + lease_s`, and return it.

    A missing row was claimed by another worker, has ended, is not due yet, or has no attempts left; the
    sweep handles all of these.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM,
            {
                "ids": list(ids),
                "from": _CLAIMABLE,
                "now": now,
                "until": now + timedelta(seconds=lease_s),
                "max_tries": max_tries,
                "slot_kept_since": now - _SLOT_KEPT,
            },
        )
        return [_claimed(row) for row in cursor.fetchall()]


def _claimed(row: tuple[Any, ...]) -> Claimed:
    """Return a row of `_CLAIM`; its columns are in the order of `Claimed`."""
    made = Claimed(*row)
    return replace(
        made,
        channel=Channel(made.channel),
        priority=Priority(made.priority),
        payload=json.loads(row[11]),  # Django leaves jsonb as text
        address=decrypt(made.address) if made.address else "",
    )


_RELEASE = f"""
UPDATE notifications_delivery d
SET state = '{DeliveryState.PENDING}', attempts = d.attempts - 1, lease_token = NULL, lease_until = NULL,
    not_before = g.at, ring_at = LEAST(g.ring_at, e.expires_at),
    slot_at = CASE WHEN g.slot THEN g.at END
FROM unnest(%s::uuid[], %s::uuid[], %s::timestamptz[], %s::timestamptz[], %s::bool[])
    AS g(id, token, at, ring_at, slot), notifications_event e
WHERE e.id = d.event_id AND d.id = g.id AND d.lease_token = g.token AND d.state = '{DeliveryState.SENDING}'
RETURNING d.id
"""


def release(claimed: Sequence[Claimed], *, now: datetime) -> list[str]:
    """Undo the claim of rows for which nothing was sent. Return their ids.

    The caller rings their doorbells again; the sweep visits them later.
    """
    count = len(claimed)
    ring_at = now + timedelta(seconds=GRACE_S)
    return postpone(claimed, until=[now] * count, ring_at=[ring_at] * count, slots=[False] * count)


def postpone(
    claimed: Sequence[Claimed],
    *,
    until: Sequence[datetime],
    ring_at: Sequence[datetime],
    slots: Sequence[bool],
) -> list[str]:
    """Undo the claim of rows until a time of their own; `slots`: that time is reserved. Return their ids.

    The sweep visits a row at its `ring_at`, or when its event expires, whichever comes first.
    """
    with connection.cursor() as cursor:
        given: list[Any] = [list(until), list(ring_at), list(slots)]
        cursor.execute(_RELEASE, [*id_arrays(claimed), *given])
        return [str(row[0]) for row in cursor.fetchall()]


def id_arrays(claimed: Sequence[Any]) -> list[list[str]]:
    return [[item.delivery_id for item in claimed], [item.token for item in claimed]]
