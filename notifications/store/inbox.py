"""A person's inbox: the cursor that numbers their events, and the marks that the person sets on them."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import connection, transaction

from notifications.effects import Changed
from notifications.events import EventRef
from notifications.models import InboxCursor
from notifications.store import edits
from notifications.store.naming import MEANT, changed, references
from runtime.postgres.cursor import binary_cursor

MARKS = {"seen": "seen_at", "read": "read_at", "archive": "archived_at"}


def _mark_with(column: str) -> str:
    """Return the statement that sets `column`. It locks in id order, as every writer of events does."""
    changes = ", ".join(f"{name} = COALESCE({name}, %(now)s)" for name in sorted({column, "seen_at"}))
    return f"""{MEANT}, unmarked AS MATERIALIZED (
    SELECT e.id, m.position FROM meant m JOIN notifications_event e ON e.id = m.id
    WHERE e.{column} IS NULL ORDER BY e.id FOR UPDATE OF e
), marked AS (
    UPDATE notifications_event e SET {changes} FROM unmarked u
    WHERE e.id = u.id RETURNING e.id, e.person_id, u.position, e.seq, e.source_id, e.event_id
)
SELECT m.person_id, m.position, m.seq, s.name, m.event_id, m.id
FROM marked m JOIN users_source s ON s.id = m.source_id ORDER BY m.id DESC
"""


_MARK = {what: _mark_with(column) for what, column in MARKS.items()}


def mark(person_id: int, refs: Sequence[EventRef], what: str, *, now: datetime) -> list[Changed]:
    """Mark events as seen, read or archived (keys of `MARKS`). Return those that changed, newest first.

    References to unknown events, to those of other persons and ambiguous ones change nothing. Each mark
    implies seen. Messages in chats that do not show yet that they were read will be edited.
    """
    with transaction.atomic():
        with binary_cursor() as cursor:
            cursor.execute(_MARK[what], references([(person_id, ref) for ref in refs]) | {"now": now})
            rows = cursor.fetchall()
        if what == "read":
            edits.want_read([row[-1] for row in rows], now=now)
    return [changed(*row[:-1]) for row in rows]


def cursor_of(person_id: int) -> InboxCursor:
    """Return the person's cursor, and create it for a person who had no event yet."""
    found = InboxCursor.objects.filter(person_id=person_id).first()
    if found is None and create_cursors([person_id]):
        found = InboxCursor.objects.filter(person_id=person_id).first()
    return found or InboxCursor(person_id=person_id)  # of somebody erased


def lock_cursors(person_ids: Sequence[int]) -> dict[int, int]:
    """Return the last seq of each person who has a cursor, locked in id order so that nobody deadlocks."""
    with binary_cursor() as cursor:
        cursor.execute(
            "SELECT person_id, last_seq FROM notifications_inboxcursor"
            " WHERE person_id = ANY(%b::bigint[]) ORDER BY person_id FOR UPDATE",
            [list(person_ids)],
        )
        return dict(cursor.fetchall())


# The lock of a person's row waits for their erasure, and lets nothing erase them until the commit.
_CREATE = """
WITH people AS MATERIALIZED (
    SELECT id FROM users_user WHERE id = ANY(%s) AND erased_at IS NULL ORDER BY id FOR KEY SHARE
), made AS (
    INSERT INTO notifications_inboxcursor (person_id, last_seq, epoch)
    SELECT id, 0, gen_random_uuid() FROM people ORDER BY id ON CONFLICT DO NOTHING
)
SELECT id FROM people
"""


def create_cursors(person_ids: Sequence[int]) -> set[int]:
    """Create the missing cursors in id order; those that another batch has just created stay as they are.

    Return the persons who have one now: nobody who was erased gets another.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CREATE, [list(person_ids)])
        return {row[0] for row in cursor.fetchall()}


def advance_cursors(last_seq: Mapping[int, int]) -> None:
    """Write the last seq of each person. The cursors are locked."""
    if not last_seq:
        return
    with binary_cursor() as cursor:
        cursor.execute(
            "UPDATE notifications_inboxcursor c SET last_seq = n.last_seq"
            " FROM unnest(%b::bigint[], %b::bigint[]) AS n(person_id, last_seq)"
            " WHERE c.person_id = n.person_id",
            [list(last_seq), list(last_seq.values())],
        )
