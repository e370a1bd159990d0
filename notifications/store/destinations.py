"""Changes to destinations that a provider's answer requires: a dead address, a moved one, another trial.

A person unblocks the bot, a host mends its list of mailboxes: nobody reports that. So a refused destination
is enabled again on trial, a few times and ever later, unless the refusal is final or an operator disabled it.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F

from notifications.models import Event
from notifications.states import Channel
from notifications.transports import registry
from users.models import Destination

Destinations = Mapping[int, Destination]

_RECHECK_AFTER = (timedelta(days=1), timedelta(days=7), timedelta(days=30))
_RECHECKS_FORGOTTEN_AFTER = timedelta(days=90)  # it has worked meanwhile, or was not written to


def of_plans(events: Iterable[Event]) -> Destinations:
    """Return every destination that these events' plans name and that is still there, in one query."""
    named = {step["destination_id"] for event in events for step in event.plan}
    return Destination.objects.in_bulk(named - {None})


def disable_destination(delivery_id: str, reason: str, *, now: datetime) -> None:
    used = Destination.objects.filter(delivery__id=delivery_id, disabled_at__isnull=True)
    for refused in used.only("kind", "recheck_at", "rechecks"):
        rechecks = refused.rechecks
        if refused.recheck_at and refused.recheck_at < now - _RECHECKS_FORGOTTEN_AFTER:
            rechecks = 0
        another = rechecks < len(_RECHECK_AFTER) and registry.spec(Channel(refused.kind)).can_heal(reason)
        Destination.objects.filter(pk=refused.pk, disabled_at__isnull=True).update(
            disabled_at=now,
            disabled_reason=reason[:200] or "the address is dead",
            recheck_at=now + _RECHECK_AFTER[rechecks] if another else None,
            rechecks=rechecks,
        )


def enable_for_recheck(*, now: datetime, limit: int) -> int:
    """Enable up to `limit` destinations whose next trial is due. Return their number."""
    due = Destination.objects.filter(disabled_at__isnull=False, recheck_at__lte=now)
    oldest = list(due.order_by("recheck_at").values_list("pk", flat=True)[:limit])
    # `recheck_at` stays, as the time of the latest trial.
    return due.filter(pk__in=oldest).update(disabled_at=None, disabled_reason="", rechecks=F("rechecks") + 1)


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
