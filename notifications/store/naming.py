"""Which stored events a person's clients mean: by source and id, by `seq`, or by an id alone."""

from collections.abc import Sequence
from typing import Any

from notifications.effects import Changed
from notifications.events import EventName, EventRef, EventSeq

# `meant` has the id of each named event, and the position of its (first) reference in the batch.
# One statement for all kinds of references, so that its caller locks the events in id order.
MEANT = """
WITH named AS MATERIALIZED (
    SELECT * FROM unnest(%(people)b::bigint[], %(sources)b::text[], %(event_ids)b::text[],
        %(seqs)b::bigint[], %(epochs)b::text[]) WITH ORDINALITY
        AS g(person_id, source, event_id, seq, epoch, position)
), meant AS MATERIALIZED (
    SELECT id, min(position) - 1 AS position FROM (
        SELECT e.id, g.position FROM named g
        JOIN users_source s ON s.name = g.source
        JOIN notifications_event e
            ON e.event_id = g.event_id AND e.source_id = s.id AND e.person_id = g.person_id
        UNION ALL
        SELECT e.id, g.position FROM named g
        JOIN notifications_inboxcursor c ON c.person_id = g.person_id AND c.epoch::text = g.epoch
        JOIN notifications_event e ON e.person_id = g.person_id AND e.seq = g.seq
        UNION ALL
        SELECT min(e.id), g.position FROM named g
        JOIN notifications_event e ON e.event_id = g.event_id AND e.person_id = g.person_id
        WHERE g.source IS NULL GROUP BY g.position HAVING count(*) = 1
    ) found GROUP BY id
)
"""


def references(refs: Sequence[tuple[int, EventRef]]) -> dict[str, Any]:
    """Return the parameters of `MEANT` for references by persons, as pairs of person id and reference."""
    columns = [_columns(ref) for _, ref in refs]
    sources, event_ids, seqs, epochs = (list(column) for column in zip(*columns, strict=True))
    people = [person_id for person_id, _ in refs]
    return {"people": people, "sources": sources, "event_ids": event_ids, "seqs": seqs, "epochs": epochs}


def _columns(ref: EventRef) -> tuple[str | None, str | None, int | None, str | None]:
    if isinstance(ref, str):
        return None, ref, None, None
    if isinstance(ref, EventSeq):
        return None, None, ref.seq, ref.epoch
    return ref.source, ref.event_id, None, None


def changed(person_id: int, position: int, seq: int, source: str, event_id: str) -> Changed:
    """Return what a statement that changed a meant event returned."""
    return Changed(person_id, position, seq, EventName(source, event_id))
