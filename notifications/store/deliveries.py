"""The table of deliveries: one INSERT for any number of them, and the changes that several steps share."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from notifications.models import Delivery
from notifications.states import DeliveryState, HoldReason
from runtime.postgres.cursor import array_parameters, binary_cursor

# `end_delivery` for statements that change other rows too. The time follows.
ENDED_AT = "lease_token = NULL, ring_at = NULL, ended_at ="


def end_delivery(
    rows: "QuerySet[Delivery]", state: DeliveryState, *, now: datetime, **changes: object
) -> int:
    """End these deliveries in `state` and return their number. No lease remains, and no sweep visits them."""
    return rows.update(state=state, lease_token=None, ring_at=None, ended_at=now, **changes)


def postpone_sweep(delivery_ids: Iterable[str], *, until: datetime) -> None:
    """Let the sweep visit these open deliveries again at `until`."""
    Delivery.objects.filter(pk__in=list(delivery_ids), ring_at__isnull=False).update(ring_at=until)


def allow_repeat(row: Delivery, *, now: datetime, backoff_s: float) -> None:
    """Open a delivery of unknown outcome again for its one repeat, marked as a possible duplicate."""
    due = now + timedelta(seconds=backoff_s)
    Delivery.objects.filter(pk=row.pk).update(
        possible_duplicate=True, not_before=due, ring_at=due, ended_at=None
    )


def held(until: datetime | None, reason: str | None, now: datetime) -> dict[str, Any]:
    """Return the columns of a delivery that is held until a time, or was: then it is due with its digest."""
    if until is None:
        return {}
    in_digest = {"digest_at": until} if reason == HoldReason.DIGEST else {}
    if until <= now:
        return in_digest
    return in_digest | {
        "not_before": until,
        "ring_at": until,
        "held_until": until,
        "wait_reason": reason,
        "waiting_since": now,
    }


_EMPTY: dict[str, Any] = dict.fromkeys(
    (
        "ring_at",
        "held_until",
        "digest_at",
        "waiting_since",
        "lease_token",
        "lease_until",
        "ack_deadline",
        "ended_at",
    )
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
    """Return the columns of a delivery that is due now; `given` overrides them.

    The sweep visits it a little later, so that the doorbell comes first.
    """
    row = (
        _EMPTY
        | {
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
            "wait_reason": "",
            "possible_duplicate": False,
            "error": "",
        }
        | given
    )
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
    "held_until": "timestamptz",
    "digest_at": "timestamptz",
    "wait_reason": "text",
    "waiting_since": "timestamptz",
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
    f" SELECT *, '', '' FROM unnest({array_parameters(_DELIVERY_COLUMNS)})"
    " ON CONFLICT DO NOTHING"
)


def insert_deliveries(rows: Sequence[dict[str, Any]]) -> int:
    """Insert deliveries and return how many: one that exists (same event and step) is not changed."""
    with binary_cursor() as cursor:
        cursor.execute(_INSERT_DELIVERIES, [[row[column] for row in rows] for column in _DELIVERY_COLUMNS])
        return cursor.rowcount
