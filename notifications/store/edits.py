"""Messages that have to be edited, as their event was acknowledged or read: wanted, claimed, done.

A row stands for "show what is so now", so a second wish changes no more than the time of the first.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from notifications.models import Delivery, MessageEdit
from notifications.states import DeliveryState, Priority, sql_list
from notifications.transports import registry
from runtime.postgres.cursor import binary_cursor

_D = DeliveryState
# A digest shows other events too and stays as it is.
# A send in flight may become a message: its edit waits for the result.
_SHOWN = sql_list([_D.SENDING, _D.SENT, _D.CONFIRMED])

_WANT = f"""
INSERT INTO notifications_messageedit (delivery_id, wanted_at, due_at, attempts)
SELECT d.id, %(now)b, %(now)b, 0
FROM notifications_event e JOIN notifications_delivery d ON d.event_id = e.id
WHERE e.id = ANY(%(ids)b::bigint[]) AND d.channel = ANY(%(channels)b::smallint[]) AND d.state IN ({_SHOWN})
  AND d.merged_into IS NULL
  AND {{condition}}
ON CONFLICT (delivery_id) DO UPDATE SET wanted_at = EXCLUDED.wanted_at
RETURNING delivery_id::text
"""
_WANT_ACKNOWLEDGED = _WANT.format(condition="e.acknowledged_at = %(now)b")
# Only a CRITICAL message asks the person for an answer.
_WANT_READ = _WANT.format(
    condition=f"e.read_at = %(now)b AND e.acknowledged_at IS NULL AND e.priority = {Priority.CRITICAL}"
)

_CLAIM = """
UPDATE notifications_messageedit SET lease_until = %(lease_until)b, attempts = attempts + 1
WHERE delivery_id IN (
    SELECT delivery_id FROM notifications_messageedit
    WHERE delivery_id = ANY(%(ids)b::text[]::uuid[]) AND due_at <= %(now)b
      AND (lease_until IS NULL OR lease_until <= %(now)b)
    ORDER BY delivery_id FOR UPDATE SKIP LOCKED
)
RETURNING delivery_id::text, wanted_at, lease_until, attempts
"""


@dataclass(frozen=True, slots=True)
class Edit:
    """An edit that a worker has claimed until `lease_until`."""

    delivery_id: str
    wanted_at: datetime
    lease_until: datetime
    attempt: int


def want_acknowledged(event_pks: Sequence[int], *, now: datetime) -> list[str]:
    """Note which messages do not show the acknowledgement of `now` yet; return their deliveries."""
    return _want(_WANT_ACKNOWLEDGED, event_pks, now)


def want_read(event_pks: Sequence[int], *, now: datetime) -> list[str]:
    """Note which CRITICAL messages do not show yet that they were read elsewhere at `now`."""
    return _want(_WANT_READ, event_pks, now)


def want_again(delivery_id: uuid.UUID, *, now: datetime) -> list[str]:
    """Note that a message does not show what is so: somebody pressed a button that it should not have."""
    wish = {"wanted_at": now}
    MessageEdit.objects.update_or_create(
        delivery_id=delivery_id, defaults=wish, create_defaults=wish | {"due_at": now}
    )
    return [str(delivery_id)]


def _want(statement: str, event_pks: Sequence[int], now: datetime) -> list[str]:
    channels = [int(channel) for channel, spec in registry.channels().items() if spec.edits]
    if not channels or not event_pks:
        return []
    given: Any = {"now": now, "ids": list(event_pks), "channels": channels}
    with binary_cursor() as cursor:
        cursor.execute(statement, given)
        return [row[0] for row in cursor.fetchall()]


def due(*, now: datetime, limit: int) -> list[str]:
    """Return the deliveries whose messages are due to be edited, the oldest first."""
    waiting = MessageEdit.objects.filter(due_at__lte=now).exclude(lease_until__gt=now)
    return [str(pk) for pk in waiting.order_by("due_at").values_list("pk", flat=True)[:limit]]


def claim(delivery_ids: Sequence[str], *, now: datetime, lease_s: float) -> list[Edit]:
    """Claim what is due among these. Another worker's claims are left to it."""
    given: Any = {"ids": list(delivery_ids), "now": now, "lease_until": now + timedelta(seconds=lease_s)}
    with binary_cursor() as cursor:
        cursor.execute(_CLAIM, given)
        return [Edit(*row) for row in cursor.fetchall()]


def deliveries(claimed: Sequence[Edit]) -> dict[str, Delivery]:
    """Return the claimed deliveries with all that their messages show, by id."""
    rows = Delivery.objects.filter(pk__in=[edit.delivery_id for edit in claimed])
    found = rows.select_related("event__source", "event__person", "destination").defer("event__raw")
    return {str(row.pk): row for row in found}


def done(edit: Edit, *, now: datetime) -> None:
    """Forget a wish that is fulfilled or cannot be; one that came meanwhile is due at once."""
    mine = _mine(edit)
    if not mine.filter(wanted_at=edit.wanted_at).delete()[0]:
        mine.update(lease_until=None, due_at=now, attempts=0)


def postpone(edit: Edit, *, until: datetime, counted: bool) -> None:
    """Let the edit be due at `until`. `counted`: this was an attempt."""
    attempts = edit.attempt if counted else edit.attempt - 1
    _mine(edit).update(lease_until=None, due_at=until, attempts=attempts)


def _mine(edit: Edit) -> "QuerySet[MessageEdit]":
    return MessageEdit.objects.filter(delivery_id=edit.delivery_id, lease_until=edit.lease_until)
