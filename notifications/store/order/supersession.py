"""Supersession: of the events with one `collapse_key`, the newest takes the place of all that have not ended.

The newest has the highest `version`, and among equal ones the highest `seq`. An older event that is more
urgent than a newer one keeps its place before it, unless it comes after the newer one.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from notifications.states import Channel, DeliveryState, EndCode, EventState, Verdict, sql_list
from notifications.store.deliveries import ENDED_AT
from notifications.store.order.turns import MARK_IN_FLIGHT
from runtime.postgres.cursor import binary_cursor

Line = tuple[int, int, str]  # source, person, collapse key


class Superseded(NamedTuple):
    """An event that has ended because of a newer one."""

    pk: int
    by: str
    replies: bool
    seq: int


# A newer event of `b`'s key that takes its place: the newest one.
_NEWER = """
    SELECT n.id, n.event_id, n.version FROM notifications_event n
    WHERE n.person_id = b.person_id AND n.source_id = b.source_id AND n.collapse_key = b.collapse_key
      AND n.collapse_key <> '' AND (n.version, n.seq) > (b.version, b.seq)
      AND (n.priority >= b.priority OR n.seq < b.seq)
    ORDER BY n.version DESC, n.seq DESC LIMIT 1
"""

_SUPERSEDE = f"""
WITH older AS MATERIALIZED (
    SELECT b.id, n.event_id AS by, n.version FROM notifications_event b
    JOIN unnest(%(sources)b::bigint[], %(people)b::bigint[], %(keys)b::text[]) AS k(source_id, person_id, key)
        ON b.source_id = k.source_id AND b.person_id = k.person_id AND b.collapse_key = k.key
    CROSS JOIN LATERAL ({_NEWER}) n
    WHERE b.collapse_key <> '' AND b.state = '{EventState.ACCEPTED}'
    ORDER BY b.id FOR UPDATE OF b
)
UPDATE notifications_event e
SET state = '{EventState.SUPERSEDED}', code = '{EndCode.SUPERSEDED}', final_at = %(now)b,
    archived_at = COALESCE(e.archived_at, %(now)b),
    trace = e.trace || jsonb_build_object('channel', COALESCE(
            (SELECT d.channel FROM notifications_delivery d
             WHERE d.event_id = e.id AND d.ring_at IS NOT NULL LIMIT 1), {Channel.WEB}),
        'verdict', '{Verdict.SKIPPED}', 'reason', '{EndCode.SUPERSEDED}',
        'by', older.by, 'version', older.version, 'at', %(at)b::text)
FROM older WHERE e.id = older.id AND e.state = '{EventState.ACCEPTED}'
RETURNING e.id, older.by, e.reply_to <> '', e.seq
"""

_D = DeliveryState
# A send in flight is left to its worker, which finds the event ended; the newer event waits for it.
_CANCEL = f"""
UPDATE notifications_delivery SET state = '{_D.CANCELLED}', {ENDED_AT} %(now)b
WHERE event_id = ANY(%(ids)b::bigint[]) AND ring_at IS NOT NULL
  AND (state IN ({sql_list([_D.PENDING, _D.DEFERRED, _D.UNKNOWN])})
       OR channel = {Channel.WEB} AND state IN ({sql_list([_D.SENDING, _D.SENT])}))
"""


def supersede(lines: Collection[Line], *, now: datetime) -> list[Superseded]:
    """End what is out of date in these lines, and return it. The caller holds the persons' cursors."""
    sources, people, keys = zip(*sorted(lines), strict=True)
    values = {"sources": list(sources), "people": list(people), "keys": list(keys), "now": now}
    with binary_cursor() as cursor:
        cursor.execute(_SUPERSEDE, values | {"at": now.isoformat()})
        ended = [Superseded(*row) for row in cursor.fetchall()]
        if ended:
            ids = {"ids": [one.pk for one in ended], "now": now}
            cursor.execute(_CANCEL, ids)
            cursor.execute(MARK_IN_FLIGHT, ids)
    return ended


_OUT_OF_DATE = f"""
SELECT b.id FROM notifications_event b CROSS JOIN LATERAL ({_NEWER}) n
WHERE b.id = ANY(%b::bigint[]) AND b.collapse_key <> ''
"""


def newer_exists(event_pks: Sequence[int]) -> set[int]:
    """Return those of these events that must not be sent again: a newer one of their key was accepted."""
    with binary_cursor() as cursor:
        cursor.execute(_OUT_OF_DATE, [list(event_pks)])
        return {row[0] for row in cursor.fetchall()}
