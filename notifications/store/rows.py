"""Events and deliveries as rows: their columns, and one INSERT for any number of them."""

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from notifications.states import DeliveryState, EndCode, EventState, Evidence
from notifications.store.acceptance import Acceptance
from runtime.postgres.cursor import arrays_cursor


def _array(kind: str) -> str:
    return f"%b::{kind}[]" if kind != "jsonb" else "%b::text[]::jsonb[]"


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
    "payload": "jsonb",
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
    f" SELECT *, '{Evidence.NONE}', 0, '[]' FROM unnest({', '.join(map(_array, EVENT_COLUMNS.values()))})"
    " ON CONFLICT (source_id, event_id) DO NOTHING RETURNING id, source_id, event_id"
)


def event_row(item: Acceptance, seq: int, now: datetime) -> dict[str, Any]:
    """Return the columns of an event; one whose plan has no step is born a dead letter."""
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
        "payload": json.dumps(envelope.payload),
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
        "code": EndCode.NO_CHANNEL.value if dead else "",
        "final_at": now if dead else None,
        "reply_to": envelope.reply_to,
        "topic": envelope.topic,
        "broadcast_id": item.broadcast_id,
    }


def _from_ms(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def insert_events(rows: Sequence[dict[str, Any]]) -> dict[tuple[int, str], int]:
    """Insert events; return the ids by (source, event_id). One that is there already has none."""
    with arrays_cursor() as cursor:
        cursor.execute(INSERT_EVENTS, [[row[column] for row in rows] for column in EVENT_COLUMNS])
        return {(row[1], row[2]): row[0] for row in cursor.fetchall()}


def new_delivery(
    event_pk: int,
    *,
    channel: int,
    destination_id: int | None,
    position: int,
    priority: int,
    now: datetime,
    **given: Any,
) -> dict[str, Any]:
    """Return the columns of a delivery that is due now, but for what is given.

    The sweep looks at it a little later, so that the doorbell comes first.
    """
    row = {
        "id": uuid.uuid4(),
        "event_id": event_pk,
        "channel": int(channel),
        "destination_id": destination_id,
        "position": position,
        "replay": 0,
        "priority": int(priority),
        "state": DeliveryState.PENDING.value,
        "attempts": 0,
        "created_at": now,
        "not_before": now,
        "ring_at": None,
        "lease_token": None,
        "lease_until": None,
        "ack_deadline": None,
        "possible_duplicate": False,
        "error": "",
        "ended_at": None,
    } | given
    if row["ring_at"] is None and row["ended_at"] is None:
        row["ring_at"] = now + timedelta(seconds=5)
    return row


_DELIVERY_COLUMNS = {
    "id": "uuid",
    "event_id": "bigint",
    "channel": "smallint",
    "destination_id": "bigint",
    "position": "smallint",
    "replay": "smallint",
    "priority": "smallint",
    "state": "text",
    "attempts": "smallint",
    "created_at": "timestamptz",
    "not_before": "timestamptz",
    "ring_at": "timestamptz",
    "lease_token": "uuid",
    "lease_until": "timestamptz",
    "ack_deadline": "timestamptz",
    "possible_duplicate": "bool",
    "error": "text",
    "ended_at": "timestamptz",
}

_INSERT_DELIVERIES = (
    f"INSERT INTO notifications_delivery ({', '.join(_DELIVERY_COLUMNS)},"
    " provider_message_id, failure_kind)"
    f" SELECT *, '', '' FROM unnest({', '.join(map(_array, _DELIVERY_COLUMNS.values()))})"
    " ON CONFLICT DO NOTHING"
)


def insert_deliveries(rows: Sequence[dict[str, Any]]) -> None:
    """Insert deliveries; one that is there already (same event and step) is left alone."""
    with arrays_cursor() as cursor:
        cursor.execute(_INSERT_DELIVERIES, [[row[column] for row in rows] for column in _DELIVERY_COLUMNS])
