"""Claiming: a compare-and-set with a lease, so that one row is one send."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from notifications.events import JsonObject
from notifications.models import Delivery
from notifications.states import Channel, DeliveryState, Priority


class LeaseLost(Exception):
    """The row was taken over after this lease had passed; the late result was not written."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """One delivery under a lease, with all that a try needs. No further query is necessary."""

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
    unusable: str  # why the destination may not be used any more
    last: bool = False  # the plan has no further step
    has_slot: bool = False  # its place within the rate limit was reserved, and is now


_CLAIM = """
WITH free AS (
    SELECT d.id FROM notifications_delivery d JOIN notifications_event e ON e.id = d.event_id
    WHERE d.id = ANY(%(ids)s::uuid[]) AND d.state = ANY(%(from)s) AND d.ended_at IS NULL
      AND d.not_before <= %(now)s AND d.attempts < %(max_tries)s
      AND e.state = 'accepted' AND e.expires_at > %(now)s
    ORDER BY d.id FOR UPDATE OF d SKIP LOCKED
)
UPDATE notifications_delivery d
SET state = 'sending', attempts = d.attempts + 1, lease_token = gen_random_uuid(),
    lease_until = %(until)s, ring_at = %(until)s
FROM free WHERE d.id = free.id
RETURNING d.id
"""

GRACE_S = 5.0  # the sweep comes this much after a doorbell
SLOT_LEAD_S = 2.0  # and this much before a reserved slot, to have it rung for to the moment
_SLOT_KEPT = timedelta(seconds=GRACE_S)
_CLAIMABLE = [DeliveryState.PENDING, DeliveryState.DEFERRED, DeliveryState.UNKNOWN]


def claim(ids: Sequence[str], *, now: datetime, lease_s: float, max_tries: int) -> list[Claimed]:
    """Claim what is due among `ids` until `now + lease_s`, and return it.

    What is missing from the answer was claimed by somebody else, has ended, is not due yet, or has used
    its tries up; the sweep looks after all of these.
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
            },
        )
        claimed = [row[0] for row in cursor.fetchall()]
    rows = Delivery.objects.filter(id__in=claimed).select_related("event__person", "destination")
    return [_claimed(row, now) for row in rows] if claimed else []


def _claimed(row: Delivery, now: datetime) -> Claimed:
    event, destination = row.event, row.destination
    unusable = ""
    if row.channel != Channel.WEB:
        if destination is None:
            unusable = "the destination was removed"
        elif destination.disabled_at is not None:
            unusable = f"disabled: {destination.disabled_reason}"
    return Claimed(
        delivery_id=str(row.id),
        token=str(row.lease_token),
        attempt=row.attempts,
        lease_until=row.lease_until or now,
        channel=Channel(row.channel),
        priority=Priority(row.priority),
        possible_duplicate=row.possible_duplicate,
        event_pk=event.pk,
        event_id=event.event_id,
        seq=event.seq,
        event_type=event.event_type,
        payload=event.payload,
        occurred_at=event.occurred_at,
        ack_timeout_ms=event.ack_timeout_ms,
        person_id=event.person_id,
        time_zone=event.person.time_zone,
        address=destination.address if destination is not None else "",
        topic=event.topic,
        unusable=unusable,
        last=row.position + 1 >= len(event.plan),
        # The sweep comes a little after the slot; a slot that is long past would make a burst.
        has_slot=row.slot_at is not None and now - row.slot_at < _SLOT_KEPT,
    )


_RELEASE = """
UPDATE notifications_delivery d
SET state = 'pending', attempts = d.attempts - 1, lease_token = NULL, lease_until = NULL,
    not_before = g.at, ring_at = LEAST(g.ring_at, e.expires_at),
    slot_at = CASE WHEN g.slot THEN g.at END
FROM unnest(%s::uuid[], %s::uuid[], %s::timestamptz[], %s::timestamptz[], %s::bool[])
    AS g(id, token, at, ring_at, slot), notifications_event e
WHERE e.id = d.event_id AND d.id = g.id AND d.lease_token = g.token AND d.state = 'sending' RETURNING d.id
"""


def release(claimed: Sequence[Claimed], *, now: datetime) -> list[str]:
    """Give back rows for which nothing was sent, as if they had not been claimed. Return their ids.

    Their doorbell is rung again by the caller; the sweep comes after it.
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
    """Give back rows until a time of their own. `slots`: that time is reserved. Return their ids.

    The sweep looks at a row at its `ring_at`, or when its event expires, whichever comes first.
    """
    with connection.cursor() as cursor:
        given: list[Any] = [list(until), list(ring_at), list(slots)]
        cursor.execute(_RELEASE, [*id_arrays(claimed), *given])
        return [str(row[0]) for row in cursor.fetchall()]


def id_arrays(claimed: Sequence[Any]) -> list[list[str]]:
    return [[item.delivery_id for item in claimed], [item.token for item in claimed]]
