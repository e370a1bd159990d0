"""Looking up deliveries that are due, without a lock: what has to be known before a send may begin."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from notifications.events import JsonObject
from notifications.states import Channel, DeliveryState, EventState, HoldReason, Priority, sql_list
from notifications.store.order import AHEAD, HAS_KEY
from runtime.postgres.cursor import binary_cursor
from users.encryption import CannotDecrypt, decrypt


@dataclass(frozen=True, slots=True)
class Due:
    """One delivery that is due, with everything an attempt needs: no further query."""

    delivery_id: str
    attempt: int  # the number of the coming attempt, from 1
    channel: Channel
    priority: Priority
    possible_duplicate: bool
    event_pk: int
    event_id: str
    seq: int
    event_type: str
    payload: JsonObject
    words: JsonObject | None
    occurred_at: datetime
    ack_timeout_ms: int
    person_id: int
    time_zone: str
    locale: str
    address: str = field(repr=False)  # "" for WEB, and where the destination is gone
    topic: str
    source: str
    link_hosts: list[str]
    unusable: str  # why the destination may not be used any more
    position: int  # of this step in the event's plan
    last: bool  # the plan has no further step
    since: datetime  # when it became due for the first time
    expires_at: datetime  # of its event
    has_slot: bool  # its reserved slot within the rate limit has come
    expiry_given: bool  # by its producer: it expires even if it is held
    was_held: bool
    has_wishes: bool  # the person has some: they are looked at again before the send
    destination_id: int | None
    digest_at: datetime | None  # when the digest is due that it goes with
    was_read: bool  # by the person, in the inbox
    waits_until: datetime | None  # for another reason than the person's wishes
    in_line: bool  # its event has a key: others may come first
    ahead: tuple[str, ...]  # the ids of these, up to a few
    behind_critical: bool  # one of them is CRITICAL
    unreadable: str  # why no attempt can be made of this row, else ""
    pierces: HoldReason | None  # set by that look, as is `silent`
    silent: bool  # a page shows it in the inbox alone
    members: "tuple[Due, ...]"  # the other deliveries of a digest, whose message this one carries


CLAIMABLE = [DeliveryState.PENDING, DeliveryState.DEFERRED, DeliveryState.UNKNOWN]

# A row of an ended or expired event is not due: the sweep ends it. The subquery looks at each row's event.
# Instead of a join Postgres may read all unfinished events, if its statistics of a quiet time promise few.
_NOT_ENDED = f"d.state IN ({sql_list(CLAIMABLE)}) AND d.ended_at IS NULL"
_EVENT_GOES_ON = f"e.state = '{EventState.ACCEPTED}' AND e.expires_at > %(now)b"

IS_OPEN = f"""{_NOT_ENDED}
    AND (SELECT {_EVENT_GOES_ON} FROM notifications_event e WHERE e.id = d.event_id)
"""

IS_DUE = f"d.not_before <= %(now)b AND {IS_OPEN}"

_MAY_HAVE_TO_WAIT = f"{HAS_KEY} AND d.channel <> {Channel.WEB}"

# The same, and no event of its keys comes first. Its planning alone costs more than a claim does, so it is
# asked only of batches with such an event.
IS_NEXT = f"""
    {_NOT_ENDED} AND d.not_before <= %(now)b AND (
        SELECT {_EVENT_GOES_ON}
            AND CASE WHEN {_MAY_HAVE_TO_WAIT} THEN (SELECT true FROM {AHEAD} a LIMIT 1) IS NULL ELSE true END
        FROM notifications_event e WHERE e.id = d.event_id)
"""

_AHEAD_OF = f"""
SELECT d.id::text, array_agg(a.event_id), max(a.priority)
FROM notifications_delivery d JOIN notifications_event e ON e.id = d.event_id CROSS JOIN LATERAL {AHEAD} a
WHERE d.id = ANY(%(ids)b::text[]::uuid[]) GROUP BY d.id
"""

# As scalars, since Postgres may read a whole table for an EXISTS.
_HAS_WISHES = " OR ".join(
    f"(SELECT true FROM users_{table} w WHERE w.user_id = e.person_id LIMIT 1) IS NOT NULL"
    for table in ("channelpreference", "mute", "hours", "digest")
)
_HAS_WISHES += " OR d.digest_at IS NOT NULL OR (SELECT true FROM users_defaultdigest LIMIT 1) IS NOT NULL"

_ROWS = f"""
SELECT d.id::text, d.attempts + 1, d.channel, d.priority, d.possible_duplicate,
    e.id, e.event_id, e.seq, e.event_type, e.payload, e.words, e.occurred_at, e.ack_timeout_ms,
    e.person_id, p.time_zone, p.locale, COALESCE(a.address, ''), e.topic, s.name, s.link_hosts,
    CASE WHEN d.channel = {Channel.WEB} THEN ''
        WHEN a.id IS NULL THEN 'the destination was removed'
        WHEN a.disabled_at IS NOT NULL THEN 'disabled: ' || a.disabled_reason ELSE '' END,
    d.position, d.position + 1 >= jsonb_array_length(e.plan),
    GREATEST(d.created_at, e.replay_due_at, d.held_until), e.expires_at,
    COALESCE(d.slot_at > %(slot_kept_since)b, false), e.expiry_given, d.held_until IS NOT NULL,
    {_HAS_WISHES}, d.destination_id, d.digest_at, e.read_at IS NOT NULL,
    CASE WHEN d.not_before > %(now)b AND d.not_before IS DISTINCT FROM d.held_until THEN d.not_before END,
    {_MAY_HAVE_TO_WAIT}
FROM notifications_delivery d
JOIN notifications_event e ON e.id = d.event_id JOIN users_user p ON p.id = e.person_id
JOIN users_source s ON s.id = e.source_id
LEFT JOIN users_destination a ON a.id = d.destination_id
"""

# The hottest query of a worker: one for a whole doorbell.
_LOOK_UP = f"""{_ROWS}
WHERE d.id = ANY(%(ids)b::text[]::uuid[]) AND d.attempts < %(max_tries)b AND {IS_DUE}
ORDER BY d.event_id, d.position
"""

# Whatever they wait for: all of a digest goes with the first that is due.
_COLLECTED = f"""{_ROWS}
WHERE d.destination_id = %(destination)b AND d.digest_at <= %(before)b AND d.ring_at IS NOT NULL
  AND d.attempts < %(max_tries)b AND {IS_OPEN}
ORDER BY d.digest_at, d.event_id, d.position LIMIT %(limit)b
"""

# A doorbell may ring a little after its slot; slots that passed long ago would add up to a burst.
_SLOT_KEPT = timedelta(seconds=5)
_ADDRESS = 16  # a column of `_LOOK_UP`, which are in the order of `Due`


def look_up(ids: Sequence[str], *, now: datetime, max_tries: int) -> list[Due]:
    """Return what is due among `ids`. Nothing is locked: another worker may claim a row first.

    A missing row is under a lease, has ended, is not due yet, or has no attempts left; the sweep handles all
    of these. A row that cannot be read says why in `unreadable`, and the others come without it.
    """
    values: dict[str, Any] = {
        "ids": list(ids),
        "now": now,
        "max_tries": max_tries,
        "slot_kept_since": now - _SLOT_KEPT,
    }
    with binary_cursor() as cursor:
        cursor.execute(_LOOK_UP, values)
        return _all_due(cursor, now)


def collected(
    destination_id: int, *, before: datetime, now: datetime, max_tries: int, limit: int
) -> list[Due]:
    """Return what waits on a destination for a digest that is due by `before`, the longest due first."""
    values: dict[str, Any] = {
        "destination": destination_id,
        "before": before,
        "now": now,
        "max_tries": max_tries,
        "limit": limit,
        "slot_kept_since": now - _SLOT_KEPT,
    }
    with binary_cursor() as cursor:
        cursor.execute(_COLLECTED, values)
        return _all_due(cursor, now)


def _all_due(cursor: Any, now: datetime) -> list[Due]:
    rows = cursor.fetchall()
    in_line = [row[0] for row in rows if row[-1]]
    ahead: dict[str, tuple[list[str], int]] = {}
    if in_line:
        cursor.execute(_AHEAD_OF, {"ids": in_line, "now": now})
        ahead = {pk: (event_ids, priority) for pk, event_ids, priority in cursor.fetchall()}
    return [_due(list(row), *ahead.get(row[0], ([], 0))) for row in rows]


def _due(row: list[Any], ahead: list[str], most_urgent: int) -> Due:
    unreadable = ""
    try:
        row[_ADDRESS] = decrypt(row[_ADDRESS]) if row[_ADDRESS] else ""
    except CannotDecrypt as error:
        row[_ADDRESS], unreadable = "", str(error)
    row[2:4] = Channel(row[2]), Priority(row[3])
    critical = most_urgent == Priority.CRITICAL
    return Due(*[*row, tuple(ahead), critical, unreadable, None, False, ()])
