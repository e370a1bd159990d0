"""The addresses of one person: which to add, to verify and to take back."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from users.models import Destination, User
from users.people.values import ADDRESSES_OF_ONE, Change, Mode, Remark


@dataclass(slots=True)
class AddressChanges:
    """Rows to write. `named` are those that the source is to be a source of, `unnamed` no more."""

    added: list[Destination] = field(default_factory=list)
    updated: list[Destination] = field(default_factory=list)
    removed: list[Destination] = field(default_factory=list)
    named: list[Destination] = field(default_factory=list)
    unnamed: list[Destination] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.added or self.updated or self.removed or self.named or self.unnamed)


def too_many() -> Remark:
    detail = f"A person has at most {ADDRESSES_OF_ONE} addresses; remove one first."
    return Remark("too_many_addresses", detail, "addresses")


def plan_addresses(person: User, change: Change, *, now: datetime) -> AddressChanges | Remark:
    """Return what the addresses that a source gives change, or why nothing may.

    With `Mode.PUT` the source takes back those of its addresses that it gives no more. An address goes once
    no source is left that brought it; one that the person or an operator added stays.
    """
    given = {(one.kind, one.address): one for one in change.details.addresses or ()}
    source_id, planned = change.by.source_id, AddressChanges()
    has = {(one.kind, one.address): one for one in person.destinations.all()}
    if change.mode is Mode.PUT and change.details.addresses is not None:
        _take_back((one for key, one in has.items() if key not in given), source_id, planned)
    room = ADDRESSES_OF_ONE - len(has) + len(planned.removed)
    new = [one for key, one in given.items() if key not in has]
    if len(new) > room:
        if change.mode is not Mode.FILL:
            return too_many()
        new = new[: max(room, 0)]
    for key, one in given.items():
        if key in has:
            _confirm(has[key], one.verified, one.label, now, planned)
            if has[key].sources.all() and source_id not in _sources(has[key]):
                planned.named.append(has[key])
    for one in new:
        verified_at = now if one.verified else None
        made = Destination(user=person, kind=one.kind, verified_at=verified_at, label=one.label or "")
        made.set_address(one.address)
        planned.added.append(made)
    return planned


def _take_back(missing: Iterable[Destination], source_id: int | None, planned: AddressChanges) -> None:
    for one in missing:
        sources = _sources(one)
        if source_id in sources:
            (planned.removed if len(sources) == 1 else planned.unnamed).append(one)


def _confirm(
    one: Destination, vouched: bool, label: str | None, now: datetime, planned: AddressChanges
) -> None:
    verify = vouched and one.verified_at is None
    relabel = label is not None and label != one.label
    if verify:
        one.verified_at = now
    if relabel:
        one.label = label or ""
    if verify or relabel:
        planned.updated.append(one)


def _sources(one: Destination) -> set[int]:
    return {source.pk for source in one.sources.all()}
