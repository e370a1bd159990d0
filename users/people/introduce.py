"""People whom events bring: created or completed just in time, and left alone where nothing is missing."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from django.db.models import Prefetch

from users.encryption import digests
from users.models import Destination, User
from users.people.profile import adds_to_profile
from users.people.values import ADDRESSES_OF_ONE, Author, Change, Details, GivenAddress
from users.people.write import apply


def introduce(changes: Sequence[Change], *, now: datetime) -> None:
    """Apply changes with `Mode.FILL`. Two statements where nobody is missing anything, none for no change.

    Raises: database errors.
    """
    if not changes:
        return
    merged = _merged(changes)
    people = _people({change.external_id for change in merged})
    incomplete = [change for change in merged if _adds(people.get(change.external_id), change.details)]
    if incomplete:
        apply(incomplete, now=now)


def _merged(changes: Iterable[Change]) -> list[Change]:
    """Make one change of what one source says about a person; of several values the first counts."""
    merged: dict[tuple[str, Author], Change] = {}
    for change in changes:
        key = (change.external_id, change.by)
        first = merged.get(key)
        if first is None:
            merged[key] = change
        elif first.details != change.details:
            merged[key] = replace(first, details=_both(first.details, change.details))
    return list(merged.values())


def _both(first: Details, second: Details) -> Details:
    return Details(
        name=first.name or second.name,
        locale=first.locale or second.locale,
        time_zone=first.time_zone or second.time_zone,
        addresses=tuple(dict.fromkeys((first.addresses or ()) + (second.addresses or ()))),
    )


def _people(external_ids: Iterable[str]) -> dict[str, User]:
    """Return them with their destinations, whose addresses need not be decrypted: a digest is compared."""
    destinations = Prefetch("destinations", Destination.objects.defer("address"))
    found = User.objects.filter(external_id__in=external_ids).prefetch_related(destinations)
    return {person.external_id: person for person in found}


def _adds(person: User | None, details: Details) -> bool:
    if person is None:
        return True
    if not person.is_active:
        return False
    has = {bytes(one.address_digest): one for one in person.destinations.all()}
    return adds_to_profile(person, details) or any(
        _adds_address(has, given) for given in details.addresses or ()
    )


def _adds_address(has: dict[bytes, Destination], given: GivenAddress) -> bool:
    found = [has[digest] for digest in digests([str(int(given.kind)), given.address]) if digest in has]
    if not found:
        return len(has) < ADDRESSES_OF_ONE
    return given.verified and found[0].verified_at is None
