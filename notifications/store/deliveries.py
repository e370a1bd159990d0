"""Changes of a delivery that several steps share."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import QuerySet

from notifications.models import Delivery
from notifications.states import DeliveryState

# `end_delivery` for statements that change other rows too. The time follows.
ENDED_AT = "lease_token = NULL, ring_at = NULL, ended_at ="


def end_delivery(
    rows: "QuerySet[Delivery]", state: DeliveryState, *, now: datetime, **changes: object
) -> int:
    """End these deliveries in `state` and return their number. No lease remains, and no sweep visits them."""
    return rows.update(state=state, lease_token=None, ring_at=None, ended_at=now, **changes)


def postpone(delivery_ids: Iterable[str], *, until: datetime) -> None:
    """Let the sweep visit these open deliveries again at `until`."""
    Delivery.objects.filter(pk__in=list(delivery_ids), ring_at__isnull=False).update(ring_at=until)


def allow_repeat(row: Delivery, *, now: datetime, backoff_s: float) -> None:
    """Open a delivery of unknown outcome again for its one repeat, marked as a possible duplicate."""
    due = now + timedelta(seconds=backoff_s)
    Delivery.objects.filter(pk=row.pk).update(
        possible_duplicate=True, not_before=due, ring_at=due, ended_at=None
    )
