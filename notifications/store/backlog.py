"""The rows that are due: each question costs by what it returns, however many rows wait.

Nothing is locked here. A caller that acts on a row makes sure of it by compare-and-set.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from notifications.effects import Ring
from notifications.states import DELIVERY_IN_FLIGHT, DELIVERY_WAITING, EventState, Priority, sql_list

Place = tuple[datetime, str]  # `ring_at` and id of a row
START: Place = (datetime.min.replace(tzinfo=UTC), "00000000-0000-0000-0000-000000000000")

# As in the conditions of the indexes `delivery_waiting` and `delivery_in_flight`.
_WAITING = f"d.ring_at IS NOT NULL AND d.state IN ({sql_list(sorted(DELIVERY_WAITING))})"
_IN_FLIGHT = f"d.ring_at IS NOT NULL AND d.state IN ({sql_list(sorted(DELIVERY_IN_FLIGHT))})"


def in_flight(priority: Priority, *, now: datetime, limit: int) -> list[str]:
    """Return rows whose lease or deadline may have passed, the longest due first."""
    sql = (
        f"SELECT d.id::text FROM notifications_delivery d"
        f" WHERE {_IN_FLIGHT} AND d.priority = %s AND d.ring_at <= %s ORDER BY d.ring_at LIMIT %s"
    )
    return [row[0] for row in _rows(sql, [int(priority), now, limit])]


@dataclass(slots=True)
class Look:
    """What a look at the waiting rows of one priority has found, the longest due first."""

    claimable: list[str] = field(default_factory=list)  # a worker may take these now
    others: list[str] = field(default_factory=list)  # too early, out of tries, or of an event that is over
    end: Place = START  # where the next look begins: `START` if this one saw the last row


_LOOK = f"""
WITH looked AS MATERIALIZED (
    SELECT d.id, d.ring_at, d.event_id, d.attempts, d.not_before FROM notifications_delivery d
    WHERE {_WAITING} AND d.priority = %(priority)s AND d.ring_at BETWEEN %(after)s AND %(now)s
      AND (d.ring_at, d.id) > (%(after)s, %(after_id)s::uuid)
    ORDER BY d.ring_at, d.id LIMIT %(limit)s
)
SELECT l.id::text, l.ring_at, e.state = '{EventState.ACCEPTED}' AND COALESCE(e.expires_at > %(now)s, true)
    AND l.attempts < %(max_tries)s AND l.not_before <= %(now)s
FROM looked l JOIN notifications_event e ON e.id = l.event_id
ORDER BY l.ring_at, l.id
"""


def look(priority: Priority, *, after: Place, now: datetime, max_tries: int, limit: int) -> Look:
    """Look at the next `limit` rows that wait for a worker and are due."""
    values = {
        "priority": int(priority),
        "after": after[0],
        "after_id": after[1],
        "now": now,
        "max_tries": max_tries,
        "limit": limit,
    }
    found = Look()
    rows = _rows(_LOOK, values)
    for pk, _, claimable in rows:
        (found.claimable if claimable else found.others).append(pk)
    if len(rows) == limit:
        found.end = rows[-1][1], rows[-1][0]
    return found


# Several workers ask at the same time: each draws from more rows than it takes, so that they seldom meet.
_DRAWN_FROM = 20
_DUE_BESIDE = f"""
WITH longest_due AS MATERIALIZED (
    SELECT d.id, d.priority FROM notifications_delivery d
    WHERE {_WAITING} AND d.ring_at <= %(now)s AND d.not_before <= %(now)s AND NOT d.id = ANY(%(ids)s::uuid[])
      AND d.priority = (SELECT priority FROM notifications_delivery WHERE id = %(first)s::uuid)
    ORDER BY d.ring_at LIMIT %(drawn_from)s
)
SELECT id::text, priority FROM longest_due ORDER BY random() LIMIT %(limit)s
"""


def due_beside(delivery_ids: Sequence[str], *, now: datetime, limit: int) -> list[Ring]:
    """Return doorbells of other rows of the same priority that are due, from among the longest due."""
    values = {
        "ids": list(delivery_ids),
        "first": delivery_ids[0],
        "now": now,
        "limit": limit,
        "drawn_from": limit * _DRAWN_FROM,
    }
    return [Ring(pk, Priority(priority)) for pk, priority in _rows(_DUE_BESIDE, values)]


def still_waiting(delivery_ids: Sequence[str]) -> int:
    """Return how many of these rows still wait for a worker, or wait again."""
    # Not in WHERE, where Postgres may read all that wait rather than these ids (see `due.IS_DUE`).
    waiting = f"count(*) FILTER (WHERE {_WAITING})"
    sql = f"SELECT {waiting} FROM notifications_delivery d WHERE d.id = ANY(%s::uuid[])"
    [(count,)] = _rows(sql, [list(delivery_ids)])
    return int(count)


def count_open(*, limit: int, before: datetime) -> int:
    """Return the number of open rows that are due before a time, at most `limit`."""
    sql = """SELECT count(*) FROM (
        SELECT FROM notifications_delivery d WHERE {} AND d.ring_at < %(before)s LIMIT %(limit)s) waiting"""
    [(waiting,)] = _rows(sql.format(_WAITING), {"limit": limit, "before": before})
    [(running,)] = _rows(sql.format(_IN_FLIGHT), {"limit": limit - waiting, "before": before})
    return int(waiting + running)


def _rows(sql: str, values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
