"""What is known of an address from the person at its other end: when they wrote, that they left or moved."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Q

from users.linking import of_address
from users.models import Destination, User

STOPPED = "stopped by the person"
BLOCKED = "blocked by the person"
REMOVED = "the bot was removed from the group"


def person_at(kind: int, address: str) -> tuple[User, Destination] | None:
    """Return whose address it is, with the destination; None if nobody who is active has verified it.

    Several persons may have it by an operator's hand: then it is the one who was verified last.
    """
    found = of_address(kind, address).filter(verified_at__isnull=False, user__is_active=True)
    latest = found.select_related("user").order_by("-verified_at", "-pk").first()
    return None if latest is None else (latest.user, latest)


def note_inbound(kind: int, address: str, *, at: datetime) -> None:
    """Note that the person wrote from this address: it counts as live for some minutes."""
    earlier = Q(last_inbound_at__isnull=True) | Q(last_inbound_at__lt=at)
    of_address(kind, address).filter(earlier).update(last_inbound_at=at)


def disable(kind: int, address: str, reason: str, *, now: datetime) -> list[User]:
    """Disable an address until its person comes back. Return the persons who used it until now."""
    used = (
        of_address(kind, address)
        .filter(
            Q(disabled_at__isnull=True) | Q(disabled_reason__contains="blocked") | Q(recheck_at__isnull=False)
        )
        .exclude(disabled_reason=reason)
    )
    persons = [one.user for one in used.select_related("user") if one.verified_at and one.user.is_active]
    used.disable(reason, now=now)
    return persons


def enable(kind: int, address: str, *reasons: str) -> int:
    """Enable an address that is disabled for one of these reasons. Return how many persons have it."""
    because = Q(pk__in=())
    for reason in reasons:
        because |= Q(disabled_reason__icontains=reason)
    return of_address(kind, address).filter(because, disabled_at__isnull=False).enable()


def move(kind: int, address: str, new_address: str, *, now: datetime) -> None:
    """Give every person with this address the new one; who has it already keeps that alone."""
    for destination in of_address(kind, address):
        destination.address = new_address
        try:
            with transaction.atomic():
                destination.save(update_fields=["address", "address_digest"])
        except IntegrityError:
            own = Destination.objects.filter(pk=destination.pk, disabled_at__isnull=True)
            own.disable("moved to an address that the person has already", now=now)
