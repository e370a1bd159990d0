"""One address of a person, by itself: added, changed, disabled and removed."""

from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction

from users.encryption import digests
from users.models import Destination, Reactivation, User
from users.people.authors import set_authors
from users.people.values import Author, Change, Details, GivenAddress, Mode, Rejected, Remark
from users.people.write import apply, must_not_vouch
from users.reactivation import Operator, enable

_BY_PERSON = "by the person"
DISABLED_BY_PERSON = f"disabled {_BY_PERSON}"
REMOVED_BY_PERSON = f"removed {_BY_PERSON}"  # kept, so that a source that names it again does not add it


@dataclass(frozen=True, slots=True)
class DestinationChange:
    """What is to change. None: not given."""

    address: str | None = None
    label: str | None = None
    verified: bool | None = None
    enabled: bool | None = None
    position: int | None = None  # its new place among the person's addresses on the channel, from 0


def add(person: User, given: GivenAddress, *, by: Author, now: datetime) -> tuple[Destination, bool]:
    """Return the destination with this address, and whether it is new. Raises: `Rejected`."""
    before = _find(person, given)
    change = Change(person.external_id, Details(addresses=(given,)), Mode.PATCH, by)
    [outcome] = apply([change], now=now)
    if outcome.rejected is not None:
        raise Rejected(outcome.rejected)
    found = _find(person, given)
    if found is None:
        raise Rejected(not_found())  # removed meanwhile
    if by.source_id is None and found.disabled_reason == REMOVED_BY_PERSON:
        found = change_one(person, found.pk, DestinationChange(enabled=True), by=by, now=now)
    return found, before is None


def _find(person: User, given: GivenAddress) -> Destination | None:
    wanted = digests([str(int(given.kind)), given.address])
    return person.destinations.filter(kind=given.kind, address_digest__in=wanted).first()


def find(person: User, pk: int) -> Destination:
    """Return the person's destination. Raises: `Rejected`."""
    found = person.destinations.filter(pk=pk).first() if pk < 2**63 else None
    if found is None:
        raise Rejected(not_found())
    return found


@transaction.atomic
def change_one(person: User, pk: int, change: DestinationChange, *, by: Author, now: datetime) -> Destination:
    """Change a destination and return it. Another address is not verified, unless the source vouches for it.

    Raises: `Rejected`.
    """
    _lock(person)
    set_authors([by])
    one = find(person, pk)
    if change.verified and not by.may_vouch:
        raise Rejected(must_not_vouch("verified"))
    if change.address is not None and change.address != one.address:
        _readdress(one, change.address)
    if change.label is not None:
        one.label = change.label
    if change.verified is not None:
        one.verified_at = (one.verified_at or now) if change.verified else None
    if change.enabled is False and one.disabled_at is None:
        one.disabled_at, one.recheck_at = now, None
        one.disabled_reason = DISABLED_BY_PERSON if by.is_person else f"disabled by {by.name}"[:200]
    _save(one)
    if change.enabled and one.disabled_at is not None:
        _enable(one, by, now)
    if change.position is not None:
        _place(person, one, change.position)
    return one


def _place(person: User, one: Destination, position: int) -> None:
    """Put the destination there, and number all of the channel: an order has no gaps and no equals."""
    of_channel = person.destinations.filter(kind=one.kind).order_by("position", "pk")
    others = list(of_channel.exclude(pk=one.pk))
    others.insert(position, one)
    for number, row in enumerate(others):
        row.position = number
    Destination.objects.bulk_update(others, ["position"])


def _readdress(one: Destination, address: str) -> None:
    one.set_address(address)
    one.verified_at = one.last_inbound_at = one.disabled_at = one.recheck_at = None
    one.disabled_reason, one.rechecks = "", 0


def _save(one: Destination) -> None:
    try:
        with transaction.atomic():
            one.save()
    except IntegrityError:
        detail = "The person has this address already, as another destination."
        raise Rejected(Remark("address_exists", detail, "address")) from None


def _enable(one: Destination, by: Author, now: datetime) -> None:
    """Enable the destination, with its audit row. What the person disabled only they enable again."""
    if by.source_id is not None and one.disabled_reason.endswith(_BY_PERSON):
        detail = "The person disabled this address: only they or an operator can enable it."
        raise Rejected(Remark("disabled_by_person", detail, "enabled"))
    surface = Reactivation.Surface.ADMIN if by.is_operator else Reactivation.Surface.API
    operator = Operator(surface, by.name[:200])
    enable(Destination.objects.filter(pk=one.pk), by=operator, now=now)  # type: ignore[arg-type]
    one.refresh_from_db()


@transaction.atomic
def remove(person: User, pk: int, *, by: Author, now: datetime) -> None:
    """Remove a destination. One that a source brought is kept disabled if the person removes it.

    Raises: `Rejected`.
    """
    _lock(person)
    set_authors([by])
    one = find(person, pk)
    if by.is_person and one.sources.exists():
        person.destinations.filter(pk=pk).update(
            disabled_at=now, disabled_reason=REMOVED_BY_PERSON, recheck_at=None
        )
    else:
        one.delete()


def _lock(person: User) -> None:
    User.objects.select_for_update(no_key=True).only("pk").get(pk=person.pk)


def not_found() -> Remark:
    return Remark("not_found", "The person has no destination with this id.")
