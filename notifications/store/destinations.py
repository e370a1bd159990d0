"""Changes to destinations that a provider's answer requires: a dead address, a moved one."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import IntegrityError, transaction

from notifications.models import Event
from users.models import Destination

Destinations = Mapping[int, Destination]


def of_plans(events: Iterable[Event]) -> Destinations:
    """Return every destination that these events' plans name and that is still there, in one query."""
    named = {step["destination_id"] for event in events for step in event.plan}
    return Destination.objects.in_bulk(named - {None})


def disable_destination(delivery_id: str, reason: str, *, now: datetime) -> None:
    Destination.objects.filter(delivery__id=delivery_id, disabled_at__isnull=True).update(
        disabled_at=now, disabled_reason=reason[:200] or "the address is dead"
    )


def move_address(delivery_id: str, address: str, *, now: datetime) -> None:
    """Store the new address that the provider named.

    If the person has that address already, the old destination is disabled.
    """
    destination = Destination.objects.filter(delivery__id=delivery_id).first()
    if destination is None:
        return
    destination.address = address
    try:
        with transaction.atomic():
            destination.save(update_fields=["address", "address_digest"])
    except IntegrityError:
        Destination.objects.filter(pk=destination.pk, disabled_at__isnull=True).update(
            disabled_at=now, disabled_reason="moved to an address that the person has already"
        )
