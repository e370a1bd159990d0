"""The table of events: one INSERT for any number of them, their row locks, and their ends."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from notifications.effects import Effects
from notifications.events import JsonObject
from notifications.models import Event
from notifications.states import Channel, EventState, Evidence
from notifications.store.acceptance import Acceptance, end_code
from runtime.postgres.cursor import array_parameters, binary_cursor

EVENT_COLUMNS = {
    "source_id": "bigint",
    "event_id": "text",
    "person_id": "bigint",
    "seq": "bigint",
    "event_type": "text",
    "priority": "smallint",
    "occurred_at": "timestamptz",
    "accepted_at": "timestamptz",
    "expires_at": "timestamptz",
    "expiry_given": "bool",
    "silent": "bool",
    "payload": "json",
    "words": "json",
    "raw": "bytea",
    "digest": "bytea",
    "schema_version": "int",
    "version": "bigint",
    "collapse_key": "text",
    "ordering_key": "text",
    "correlation_id": "text",
    "metadata": "jsonb",
    "ack_timeout_ms": "int",
    "channels": "jsonb",
    "plan": "jsonb",
    "trace": "jsonb",
    "state": "text",
    "code": "text",
    "final_at": "timestamptz",
    "reply_to": "text",
    "topic": "text",
    "broadcast_id": "uuid",
}

INSERT_EVENTS = (
    f"INSERT INTO notifications_event ({', '.join(EVENT_COLUMNS)}, evidence, replay_count, history)"
    f" SELECT *, '{Evidence.NONE}', 0, '[]' FROM unnest({array_parameters(EVENT_COLUMNS)})"
    " ON CONFLICT (source_id, event_id) DO NOTHING RETURNING id, source_id, event_id"
)


def event_row(item: Acceptance, seq: int, now: datetime) -> dict[str, Any]:
    """Return the columns of an event; without a step in its plan it starts as a dead letter."""
    envelope = item.envelope
    dead = not item.plan.steps
    return {
        "source_id": envelope.source.id,
        "event_id": envelope.event_id,
        "person_id": item.person_id,
        "seq": seq,
        "event_type": envelope.event_type,
        "priority": int(envelope.priority),
        "occurred_at": _from_ms(envelope.timestamp_ms),
        "accepted_at": now,
        "expires_at": item.expires_at,
        "expiry_given": bool(envelope.deadline_ms),
        "silent": item.plan.silent,
        "payload": json.dumps(envelope.payload),
        "words": json.dumps(envelope.words.to_json()) if envelope.words else None,
        "raw": envelope.raw,
        "digest": envelope.digest,
        "schema_version": envelope.schema_version,
        "version": envelope.version,
        "collapse_key": envelope.collapse_key,
        "ordering_key": envelope.ordering_key,
        "correlation_id": envelope.correlation_id,
        "metadata": json.dumps(dict(envelope.metadata)),
        "ack_timeout_ms": item.ack_timeout_ms,
        "channels": json.dumps([choice.to_json() for choice in envelope.channels]),
        "plan": json.dumps([step.to_json() for step in item.plan.steps]),
        "trace": json.dumps([decision.to_json() for decision in item.plan.trace]),
        "state": (EventState.FAILED if dead else EventState.ACCEPTED).value,
        "code": end_code(item.plan).value if dead else "",
        "final_at": now if dead else None,
        "reply_to": envelope.reply_to,
        "topic": envelope.topic,
        "broadcast_id": item.broadcast_id,
    }


def _from_ms(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def insert_events(rows: Sequence[dict[str, Any]]) -> dict[tuple[int, str], int]:
    """Insert events; return their ids by (source, event_id), without those that existed already."""
    with binary_cursor() as cursor:
        cursor.execute(INSERT_EVENTS, [[row[column] for row in rows] for column in EVENT_COLUMNS])
        return {(row[1], row[2]): row[0] for row in cursor.fetchall()}


def end_event(
    event: Event,
    state: EventState,
    *,
    now: datetime,
    code: str = "",
    via: Channel | None = None,
    evidence: Evidence = Evidence.NONE,
) -> Effects:
    """End the event, once. The first writer wins."""
    changed = Event.objects.filter(pk=event.pk, state=EventState.ACCEPTED).update(
        state=state, code=code, delivered_via=via, evidence=evidence, final_at=now
    )
    event.state = state  # or another end; later code of this transaction must see that it has ended
    if not changed:
        return Effects()
    return Effects(finals=[event.pk], replies=bool(event.reply_to), freed=freed(event))


def freed(event: Event) -> list[int]:
    """Return the event for `Effects.freed` if others may have waited for its end, or the end of its send."""
    return [event.pk] if event.ordering_key or event.collapse_key else []


def lock_event(event_pk: int) -> Event:
    """Lock an event, and leave out its largest columns until they are used."""
    return Event.objects.select_for_update().defer("payload", "raw", "digest", "trace").get(pk=event_pk)


def add_to_trace(event_pk: int, line: JsonObject) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE notifications_event SET trace = trace || %s::jsonb WHERE id = %s",
            [json.dumps(line), event_pk],
        )
