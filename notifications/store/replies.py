"""Final acks that are due on the reply streams: marked as sent, and sent before the commit.

Redis may lose a stream. So a sent ack stays this store's until its producer has acknowledged it.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction

from notifications.events import JsonObject
from notifications.models import Broadcast
from runtime.postgres.cursor import binary_cursor
from users.models import Source

# Parallel ingress processes take different rows, and none waits for a writer of an event.
_TAKE = """
WITH due AS MATERIALIZED (
    SELECT id FROM notifications_event
    WHERE reply_to = %b::text AND replied_at IS NULL AND final_at IS NOT NULL
    ORDER BY final_at LIMIT %b FOR UPDATE SKIP LOCKED
)
UPDATE notifications_event e SET replied_at = %b FROM due, users_source s
WHERE e.id = due.id AND s.id = e.source_id
RETURNING e.id, s.name, e.event_id, e.seq, e.state, e.code, e.delivered_via, e.evidence, e.final_at,
    e.replay_count, e.plan::text, e.trace::text
"""

_DELIVERIES = """
SELECT event_id, position, replay, channel, state, failure_kind, error, merged_into
FROM notifications_delivery
WHERE event_id = ANY(%b::bigint[])
"""


_READ = """
UPDATE {table} r SET reply_read_at = %s FROM unnest(%s::text[], %s::timestamptz[]) AS acked(id, at)
WHERE r.id::text = acked.id AND r.replied_at = acked.at
"""

_AGAIN = """
UPDATE {table} r SET replied_at = NULL FROM users_source s
WHERE s.id = r.source_id AND s.name = %s AND r.reply_to = 'stream' AND r.replied_at >= %s
AND (r.reply_read_at IS NULL OR r.reply_read_at < r.replied_at) AND NOT r.id::text = ANY(%s)
"""


class Tried(NamedTuple):
    """The part of a delivery that an ack contains."""

    position: int
    replay: int
    channel: int
    state: str
    failure_kind: str
    error: str
    merged_into: UUID | None


class Ended(NamedTuple):
    """The part of an ended event that an ack contains: event rows are wide, and each of them is read."""

    pk: int
    source: str
    event_id: str
    seq: int
    state: str
    code: str
    delivered_via: int | None
    evidence: str
    final_at: datetime
    replay_count: int
    plan: Sequence[JsonObject]
    trace: Sequence[JsonObject]
    tried: list[Tried]


_TABLES = ("notifications_event", "notifications_broadcast")
_HELD = 0x70C52  # key of the advisory lock: held while it is found out which acks a stream has


def take_replies_due(*, now: datetime, limit: int, reply_to: str = "stream") -> list[Ended]:
    """Mark final acks as sent and return them, the oldest first. The caller sends them, and then commits.

    Guarantee: without that commit they stay due, so a crash may double an ack and never loses one.
    """
    _share()
    with binary_cursor() as cursor:
        rows = cursor.execute(_TAKE, [reply_to, limit, now], binary=True).fetchall()
        tried = _tried(cursor, [row[0] for row in rows]) if rows else {}
    endings = [
        Ended._make((*columns, _parsed(plan), _parsed(trace), tried.get(columns[0], [])))
        for *columns, plan, trace in rows
    ]
    return sorted(endings, key=lambda ending: ending.final_at)


def take_broadcast_replies_due(*, now: datetime, limit: int, reply_to: str = "stream") -> list[Broadcast]:
    """Do the same as `take_replies_due` for the final acks of broadcasts."""
    _share()
    due = Broadcast.objects.select_for_update(skip_locked=True, of=("self",)).filter(
        replied_at__isnull=True, final_at__isnull=False, reply_to=reply_to
    )
    rows = list(due.select_related("source").order_by("final_at")[:limit])
    if rows:
        Broadcast.objects.filter(pk__in=[row.pk for row in rows]).update(replied_at=now)
    return rows


def reply_key(pk: object, replied_at: datetime) -> str:
    """Return what `note_replies_read` knows a final ack by: a replay of the event has another one."""
    return f"{pk}|{replied_at.isoformat()}"


def reply_sent_at(key: str) -> datetime:
    return datetime.fromisoformat(key.partition("|")[2])


def stream_sources() -> list[str]:
    """Return the names of the sources that have a reply stream."""
    return list(Source.objects.filter(allow_stream=True).values_list("name", flat=True))


def note_replies_read(keys: Sequence[str], *, now: datetime) -> None:
    """Note that producers have read these final acks."""
    if not keys:
        return
    pks, times = zip(*(key.split("|") for key in keys), strict=True)
    with connection.cursor() as cursor:
        for table in _TABLES:
            cursor.execute(_READ.format(table=table), [now, list(pks), list(times)])


def make_replies_due(source: str, *, since: datetime, except_for: Sequence[str]) -> int:
    """Make the source's final acks due again that were sent since then and not read. Return how many."""
    kept = [key.partition("|")[0] for key in except_for]
    count = 0
    with connection.cursor() as cursor:
        for table in _TABLES:
            cursor.execute(_AGAIN.format(table=table), [source, since, kept])
            count += cursor.rowcount
    return count


@contextmanager
def replies_held() -> Iterator[None]:
    """Let no final ack be sent while the block runs: each one is on its stream and marked, or neither."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_HELD])
        yield


def _share() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [_HELD])


@lru_cache(maxsize=1024)
def _parsed(text: str) -> tuple[JsonObject, ...]:
    """Return a plan or trace as values, cached: few distinct ones exist, and every ack reads them."""
    return tuple(json.loads(text))


def _tried(cursor: Any, event_pks: list[int]) -> dict[int, list[Tried]]:
    found: dict[int, list[Tried]] = defaultdict(list)
    for event_pk, *columns in cursor.execute(_DELIVERIES, [event_pks], binary=True):
        found[event_pk].append(Tried._make(columns))
    return found
