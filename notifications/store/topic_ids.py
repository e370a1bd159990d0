"""An id of a source is a person's event or a topic's, never both; two tables cannot say so by a constraint.

Whoever stores one kind looks for the other first, and nobody may store the other in between: persons' events
share a lock of their source, and an event to a topic has it for itself. Only sources that may publish to
topics are concerned.
"""

from collections.abc import Iterable, Sequence

from runtime.postgres.cursor import binary_cursor

Key = tuple[int, str]

_SPACE = 0x70C51 << 40  # of our advisory locks, apart from anybody else's


def lock_shared(source_ids: Iterable[int]) -> None:
    """Let nobody store an event to a topic of these sources until this transaction ends."""
    _lock("pg_advisory_xact_lock_shared", source_ids)


def lock_exclusive(source_ids: Iterable[int]) -> None:
    """Let nobody else store an event of these sources until this transaction ends."""
    _lock("pg_advisory_xact_lock", source_ids)


def _lock(function: str, source_ids: Iterable[int]) -> None:
    with binary_cursor() as cursor:
        cursor.execute(
            f"SELECT {function}({_SPACE} + id) FROM unnest(%b::bigint[]) AS id",
            [sorted(set(source_ids))],
        )


def taken_by_topics(keys: Sequence[Key]) -> set[Key]:
    """Return which of these ids are events to topics."""
    with binary_cursor() as cursor:
        cursor.execute(
            "SELECT source_id, event_id FROM notifications_broadcast"
            " JOIN unnest(%b::bigint[], %b::text[]) AS k(source_id, event_id) USING (source_id, event_id)",
            [[source for source, _ in keys], [event_id for _, event_id in keys]],
        )
        return set(cursor.fetchall())
