"""Linking an address by a token that the person brings to us from there: issued, opened, then confirmed.

128 random bits, good once, for ten minutes, and for the first address that opens it.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from users.encryption import digests
from users.models import Destination, DestinationQuerySet, LinkToken, User
from users.people.tokens import Refusal, TooMany, digest

VALID_FOR = timedelta(minutes=10)
_AT_ONCE = 5  # links that one person may get within `VALID_FOR`
_TOKEN_BYTES = 16


@dataclass(frozen=True, slots=True)
class Issued:
    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Linked:
    """The address is the person's now. `previous`: other persons whose address it was."""

    destination: Destination
    previous: list[User]


@transaction.atomic
def issue(person: User, kind: int, *, now: datetime) -> Issued:
    """Return a new token for an address on the channel `kind`. Raises: `TooMany`."""
    User.objects.select_for_update().only("pk").get(pk=person.pk)  # counted one after the other
    recent = person.link_tokens.filter(created_at__gt=now - VALID_FOR).order_by("created_at")
    if len(times := list(recent.values_list("created_at", flat=True))) >= _AT_ONCE:
        free_at = times[-_AT_ONCE] + VALID_FOR
        raise TooMany(max(1, round((free_at - now).total_seconds())))
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    expires_at = now + VALID_FOR
    person.link_tokens.create(kind=kind, token_digest=digest(token), created_at=now, expires_at=expires_at)
    return Issued(token, expires_at)


def open_link(token: str, kind: int, address: str, *, now: datetime) -> LinkToken | Refusal:
    """Bind the link to this address, if it is the first to open it. Needs a transaction."""
    found = _locked().filter(token_digest=digest(token), kind=kind).first()
    if found is None or not found.user.is_active:
        return Refusal.UNKNOWN
    refusal = _refusal(found, kind, address, now)
    if refusal is not None:
        return refusal
    found.opened_by = digests([str(kind), address])[0]
    found.save(update_fields=["opened_by"])
    return found


def confirm(pk: int, kind: int, address: str, *, now: datetime) -> Linked | Refusal:
    """Give the address to the person of a link that it has opened: verified and enabled.

    It is then nobody else's, as the one who writes from there has just said whose it is. Needs a transaction.
    """
    found = _opened(pk, kind, address, now)
    if isinstance(found, Refusal):
        return found
    _end(found, now)
    others = of_address(kind, address).exclude(user=found.user).filter(disabled_at__isnull=True)
    previous = [destination.user for destination in others.select_related("user")]
    others.disable("the address was linked to another person", now=now)
    destination = of_address(kind, address).filter(user=found.user).first()
    if destination is None:
        destination = Destination(user=found.user, kind=kind, address=address)
    destination.verified_at = destination.verified_at or now
    destination.disabled_at, destination.disabled_reason, destination.recheck_at = None, "", None
    destination.rechecks, destination.last_inbound_at = 0, now
    destination.save()
    return Linked(destination, previous)


def decline(pk: int, kind: int, address: str, *, now: datetime) -> None:
    """End a link that the person does not want. Needs a transaction."""
    found = _opened(pk, kind, address, now)
    if isinstance(found, LinkToken):
        _end(found, now)


def forget_expired(*, now: datetime) -> int:
    """Delete the links of yesterday. Return their number."""
    return LinkToken.objects.filter(expires_at__lt=now - timedelta(days=1)).delete()[0]


def of_address(kind: int, address: str) -> DestinationQuerySet:
    """Return the destinations with this address, of whichever person."""
    return Destination.objects.filter(kind=kind, address_digest__in=digests([str(kind), address]))


def _locked() -> "QuerySet[LinkToken]":
    return LinkToken.objects.select_for_update(of=("self",)).select_related("user")


def _opened(pk: int, kind: int, address: str, now: datetime) -> LinkToken | Refusal:
    found = _locked().filter(pk=pk, kind=kind, opened_by__in=digests([str(kind), address])).first()
    if found is None or not found.user.is_active:
        return Refusal.UNKNOWN
    return _refusal(found, kind, address, now) or found


def _refusal(link: LinkToken, kind: int, address: str, now: datetime) -> Refusal | None:
    own = link.opened_by is None or bytes(link.opened_by) in digests([str(kind), address])
    if link.ended_at is not None or not own:
        return Refusal.USED
    return Refusal.EXPIRED if link.expires_at <= now else None


def _end(link: LinkToken, now: datetime) -> None:
    link.ended_at = now
    link.save(update_fields=["ended_at"])
