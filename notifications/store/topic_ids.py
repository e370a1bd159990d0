"""Uniqueness of a source's event ids across two tables: an id belongs to an event or to a broadcast.

No constraint spans two tables, so each writer first looks into the other table, under an advisory lock of the
source: shared for events, exclusive for broadcasts. Only sources that may publish to topics need it.
"""

from collections.abc import Iterable, Sequence

from runtime.postgres.cursor import binary_cursor

Key = tuple[int, str]

_SPACE = 0x70C51 << 40  # keeps these advisory locks apart from others


def lock_shared(source_ids: Iterable[int]) -> None:
    """Keep other transactions from storing broadcasts of these sources until this one ends."""
    _lock("pg_advisory_xact_lock_shared", source_ids)


def lock_exclusive(source_ids: Iterable[int]) -> None:
    """Keep other transactions from storing anything of these sources until this one ends."""
    _lock("pg_advisory_xact_lock", source_ids)


def _lock(function: str, source_ids: Iterable[int]) -> None:
    with binary_cursor() as cursor:
        cursor.execute(
            f"SELECT {function}({_SPACE} + id) FROM unnest(%b::bigint[]) AS id",
            [sorted(set(source_ids))],
        )


def taken_by_topics(keys: Sequence[Key]) -> set[Key]:
    """Return which of these ids belong to broadcasts."""
    with binary_cursor() as cursor:
        cursor.execute(
            "SELECT source_id, event_id FROM notifications_broadcast"
            " JOIN unnest(%b::bigint[], %b::text[]) AS k(source_id, event_id) USING (source_id, event_id)",
            [[source for source, _ in keys], [event_id for _, event_id in keys]],
        )
        return set(cursor.fetchall())
