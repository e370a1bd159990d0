"""Accepting a batch: one transaction, and after it every event is safe."""

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from django.db import OperationalError, connection, transaction

from notifications import crash_points
from notifications.events import Envelope
from notifications.route import Plan
from notifications.states import Channel, DeliveryState, EventState

_RACES_AT_MOST = 5


class _Raced(Exception):
    """Another transaction stored one of these ids for another person; look again."""


class _NewPersons(Exception):
    """These persons have no cursor yet: make them with no lock held, then begin anew."""

    def __init__(self, person_ids: list[int]) -> None:
        super().__init__(person_ids)
        self.person_ids = person_ids


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An event that may be stored, with the plan that routing made for it."""

    envelope: Envelope
    person_id: int
    plan: Plan
    expires_at: datetime
    ack_timeout_ms: int
    broadcast_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database now says about an event.

    `kind` is "accepted", "duplicate" (it was there, with the same content) or "conflict" (it was there,
    with other content). `delivery_id` is the first delivery of an accepted event, if it has a step.
    """

    kind: str
    event_pk: int
    seq: int
    state: EventState
    code: str = ""
    delivered_via: Channel | None = None
    evidence: str = ""
    final_at: datetime | None = None
    delivery_id: str = ""
    token: str = ""


Key = tuple[int, str]


def accept(batch: Sequence[Acceptance], *, now: datetime) -> list[Stored]:
    """Store a batch and return one `Stored` for each, in order.

    Guarantee: when this returns, every event of kind "accepted" is committed, with the next gap-free
    `seq` of its person, and its first delivery is due. An event is unique by (source, event_id).
    """
    for _ in range(_RACES_AT_MOST):
        try:
            with transaction.atomic():
                stored = _accept(batch, now)
                crash_points.passing("accept_before_commit")
                return stored
        except _NewPersons as new:
            _create_cursors(new.person_ids)
        except _Raced:
            continue
        except OperationalError as error:
            # Two batches with the same ids for other persons, in another order: one of them is let go.
            if not isinstance(error.__cause__, psycopg.errors.DeadlockDetected):
                raise
    raise RuntimeError("event ids kept changing hands between persons")


def _accept(batch: Sequence[Acceptance], now: datetime) -> list[Stored]:
    last_seq = _lock_cursors({item.person_id for item in batch})
    known = _known(batch)
    fresh: dict[Key, tuple[Acceptance, int]] = {}
    for item in batch:
        key = _key(item)
        if key not in known and key not in fresh:
            last_seq[item.person_id] += 1
            fresh[key] = (item, last_seq[item.person_id])
    stored = _insert(fresh, now) if fresh else {}
    _advance_cursors({item.person_id: last_seq[item.person_id] for item, _ in fresh.values()})
    return [_answer(item, stored, known) for item in batch]


def _key(item: Acceptance) -> Key:
    return item.envelope.source.id, item.envelope.event_id


def _lock_cursors(person_ids: set[int]) -> dict[int, int]:
    """Return the last seq of each person, locked in id order so that two batches cannot deadlock."""
    wanted = sorted(person_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT person_id, last_seq FROM notifications_inboxcursor"
            " WHERE person_id = ANY(%s) ORDER BY person_id FOR UPDATE",
            [wanted],
        )
        found: dict[int, int] = dict(cursor.fetchall())
    if len(found) < len(wanted):
        raise _NewPersons([person for person in wanted if person not in found])
    return found


def _create_cursors(person_ids: list[int]) -> None:
    """Insert what is missing, in id order; what another batch has just made is left alone."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO notifications_inboxcursor (person_id, last_seq, epoch)"
            " SELECT id, 0, gen_random_uuid() FROM unnest(%s::bigint[]) AS id ORDER BY id"
            " ON CONFLICT DO NOTHING",
            [person_ids],
        )


def _known(batch: Sequence[Acceptance]) -> dict[Key, tuple[bytes, Stored]]:
    """Return what is stored already, with its digest. Read under the cursor locks."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.source_id, e.event_id, e.digest, e.id, e.seq, e.state, e.code, e.delivered_via,"
            " e.evidence, e.final_at FROM notifications_event e"
            " JOIN unnest(%s::bigint[], %s::text[]) AS k(source_id, event_id) USING (source_id, event_id)",
            [[item.envelope.source.id for item in batch], [item.envelope.event_id for item in batch]],
        )
        return {
            (row[0], row[1]): (
                bytes(row[2]),
                Stored(
                    "duplicate",
                    row[3],
                    row[4],
                    EventState(row[5]),
                    code=row[6],
                    delivered_via=None if row[7] is None else Channel(row[7]),
                    evidence=row[8],
                    final_at=row[9],
                ),
            )
            for row in cursor.fetchall()
        }


def _insert(fresh: dict[Key, tuple[Acceptance, int]], now: datetime) -> dict[Key, tuple[bytes, Stored]]:
    rows = [_event_row(item, seq, now) for item, seq in fresh.values()]
    columns = list(rows[0])
    with arrays_cursor() as cursor:
        cursor.execute(_INSERT_EVENTS, [[row[column] for row in rows] for column in columns])
        ids: dict[Key, int] = {(row[1], row[2]): row[0] for row in cursor.fetchall()}
    if len(ids) < len(fresh):
        raise _Raced
    stored = {}
    deliveries = []
    for key, (item, seq) in fresh.items():
        delivery = _delivery_row(item, ids[key], now) if item.plan.steps else None
        if delivery:
            deliveries.append(delivery)
        stored[key] = (item.envelope.digest, _accepted(item, ids[key], seq, delivery, now))
    if deliveries:
        insert_deliveries(deliveries)
    return stored


def _accepted(item: Acceptance, pk: int, seq: int, delivery: dict[str, Any] | None, now: datetime) -> Stored:
    if delivery is None:
        return Stored("accepted", pk, seq, EventState.FAILED, code="no_channel", final_at=now)
    token = str(delivery["lease_token"] or "")
    return Stored("accepted", pk, seq, EventState.ACCEPTED, delivery_id=str(delivery["id"]), token=token)


@contextmanager
def arrays_cursor() -> "Iterator[psycopg.Cursor[tuple[Any, ...]]]":
    """Open a cursor that sends long arrays in binary; Django's own escapes each into the statement.

    Raises: Django's database errors, as its own cursors do.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        yield cursor


def _array(kind: str) -> str:
    return f"%b::{kind}[]" if kind != "jsonb" else "%b::text[]::jsonb[]"


_EVENT_COLUMNS = {
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

_INSERT_EVENTS = (
    f"INSERT INTO notifications_event ({', '.join(_EVENT_COLUMNS)}, evidence, replay_count, history)"  # noqa: S608
    f" SELECT *, '', 0, '[]' FROM unnest({', '.join(map(_array, _EVENT_COLUMNS.values()))})"
    " ON CONFLICT (source_id, event_id) DO NOTHING RETURNING id, source_id, event_id"
)


def _event_row(item: Acceptance, seq: int, now: datetime) -> dict[str, Any]:
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
        "code": "no_channel" if dead else "",
        "final_at": now if dead else None,
        "reply_to": envelope.reply_to,
        "topic": envelope.topic,
        "broadcast_id": item.broadcast_id,
    }


def _from_ms(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _delivery_row(item: Acceptance, event_pk: int, now: datetime) -> dict[str, Any]:
    """Return the first delivery. A WEB one is claimed at birth: its accepter pushes it at once."""
    step = item.plan.steps[0]
    live = step.channel is Channel.WEB
    deadline = now + timedelta(milliseconds=item.ack_timeout_ms)
    return new_delivery(
        event_pk,
        channel=step.channel,
        destination_id=step.destination_id,
        position=0,
        priority=item.envelope.priority,
        now=now,
        state=(DeliveryState.SENDING if live else DeliveryState.PENDING).value,
        attempts=int(live),
        lease_token=uuid.uuid4() if live else None,
        lease_until=deadline if live else None,
        ack_deadline=deadline if live else None,
        ring_at=deadline if live else None,
    )


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
    f"INSERT INTO notifications_delivery ({', '.join(_DELIVERY_COLUMNS)},"  # noqa: S608
    " provider_message_id, failure_kind)"
    f" SELECT *, '', '' FROM unnest({', '.join(map(_array, _DELIVERY_COLUMNS.values()))})"
    " ON CONFLICT DO NOTHING"
)


def insert_deliveries(rows: Sequence[dict[str, Any]]) -> None:
    """Insert deliveries; one that is there already (same event and step) is left alone."""
    with arrays_cursor() as cursor:
        cursor.execute(_INSERT_DELIVERIES, [[row[column] for row in rows] for column in _DELIVERY_COLUMNS])


def _advance_cursors(last_seq: dict[int, int]) -> None:
    if not last_seq:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE notifications_inboxcursor c SET last_seq = n.last_seq"
            " FROM unnest(%s::bigint[], %s::bigint[]) AS n(person_id, last_seq)"
            " WHERE c.person_id = n.person_id",
            [list(last_seq), list(last_seq.values())],
        )


def _answer(
    item: Acceptance,
    stored: dict[Key, tuple[bytes, Stored]],
    known: dict[Key, tuple[bytes, Stored]],
) -> Stored:
    """Return this item's answer; the first of several equal ids in one batch is the accepted one."""
    key = _key(item)
    digest, truth = known.get(key) or stored[key]
    if digest != item.envelope.digest:
        return replace(truth, kind="conflict")
    if key in stored:
        stored[key] = (digest, replace(truth, kind="duplicate", delivery_id=""))
    return truth
