"""Creating and changing people, many at a time: the same for the API and for recipients of events.

Safe under concurrency: a person is inserted or found, then locked, then compared. The same change twice at
once is the same as once.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from secrets import token_hex

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction

from users.models import Destination, User
from users.people import rights
from users.people.addresses import AddressChanges, plan_addresses
from users.people.authors import set_authors
from users.people.profile import fill_profile
from users.people.values import Change, Mode, Outcome, Remark, Result

Indexed = list[tuple[int, Change]]

_USERNAME_MAX = 150


def apply(changes: Sequence[Change], *, now: datetime) -> list[Outcome]:
    """Apply changes, each on its own. Return one outcome for each, in order.

    Several changes of one person are applied one after the other. Raises: database errors.
    """
    outcomes: dict[int, Outcome] = {}
    for round_ in _rounds(changes):
        try:
            outcomes |= _apply_round(round_, now)
        except IntegrityError:  # somebody added the same address without the lock: it is found now
            outcomes |= _apply_round(round_, now)
    return [outcomes[index] for index in range(len(changes))]


def _rounds(changes: Sequence[Change]) -> Iterable[Indexed]:
    """Divide the changes so that no round has two of the same person."""
    rounds: list[Indexed] = []
    seen: dict[str, int] = {}
    for index, change in enumerate(changes):
        number = seen.get(change.external_id, 0)
        seen[change.external_id] = number + 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append((index, change))
    return rounds


@transaction.atomic
def _apply_round(round_: Indexed, now: datetime) -> dict[int, Outcome]:
    set_authors(change.by for _, change in round_)
    rejected = _not_allowed(round_)
    outcomes = {index: Outcome(Result.REJECTED, remark) for index, remark in rejected.items()}
    allowed = [(index, change) for index, change in round_ if index not in rejected]
    people, created = _load([change for _, change in allowed])
    drafts = []
    for index, change in allowed:
        person = people.get(change.external_id)
        if person is None:
            detail = "Nobody has this user_id; PUT creates people."
            outcomes[index] = Outcome(Result.REJECTED, Remark("not_found", detail, "user_id"))
            continue
        draft = _Draft(person, change, person.external_id in created)
        outcomes[index] = draft.outcome(now)
        drafts.append(draft)
    _write([draft for draft in drafts if draft.accepted])
    return outcomes


class _Draft:
    """One change of one person, who is locked."""

    def __init__(self, person: User, change: Change, created: bool) -> None:
        self.person = person
        self.change = change
        self.created = created
        self.accepted = False
        self.columns: set[str] = set()
        self.addresses = AddressChanges()
        self.groups: set[str] | None = None

    def outcome(self, now: datetime) -> Outcome:
        """Decide what to write, and return what becomes of the change."""
        person, change = self.person, self.change
        if change.mode is Mode.FILL and not person.is_active:
            return Outcome(Result.UNCHANGED)
        addresses = plan_addresses(person, change, now=now)
        if isinstance(addresses, Remark):
            return Outcome(Result.REJECTED, addresses)
        active = change.details.active
        if active is not None and active != person.is_active:
            if person.is_staff or person.is_superuser:
                detail = "This person signs in to the admin, and is activated or deactivated there."
                return Outcome(Result.REJECTED, Remark("forbidden_user", detail, "active"))
            person.is_active = active
            self.columns.add("is_active")
        self.accepted, self.addresses = True, addresses
        columns, remarks = fill_profile(person, change)
        self.columns |= columns
        self.groups = self._new_groups()
        changed = self.columns or addresses or self.groups is not None
        result = Result.UPDATED if changed else Result.UNCHANGED
        return Outcome(Result.CREATED if self.created else result, warnings=tuple(remarks))

    def _new_groups(self) -> set[str] | None:
        """Return the names of the person's groups if they change. Those of the admin stay, as do those of
        other sources where this one's are limited."""
        if self.change.details.groups is None:
            return None
        limits = self.change.by.rule.groups
        has = {group.name: group for group in self.person.groups.all()}
        stay = {
            name for name, group in has.items() if group.permissions.all() or (limits and name not in limits)
        }
        wanted = stay | set(self.change.details.groups)
        return None if wanted == set(has) else wanted


# --- who may ----------------------------------------------------------------------------------------------
def _not_allowed(round_: Indexed) -> dict[int, Remark]:
    """Return why changes are rejected before anybody is created."""
    outside = rights.forbidden((change.by.rule, change.external_id) for _, change in round_)
    known = _existing(external_id for _, external_id in outside) if outside else set()
    privileged = _privileged(round_)
    found: dict[int, Remark] = {}
    for index, change in round_:
        is_outside = (change.by.rule, change.external_id) in outside
        if is_outside and not (_joins(change) and change.external_id not in known):
            found[index] = rights.not_allowed(change.by.rule)
        elif (remark := _refusal(change, privileged)) is not None:
            found[index] = remark
    return found


def _joins(change: Change) -> bool:
    """Return whether the change creates a person in one of the groups that its source is limited to."""
    return change.mode is Mode.PUT and not set(change.details.groups or ()).isdisjoint(change.by.rule.groups)


def _refusal(change: Change, privileged: set[str]) -> Remark | None:
    if change.external_id == "me" or not change.external_id.strip():
        return Remark("invalid_user_id", "Use another id: me is the person who asks.", "user_id")
    if change.details.vouches and not change.by.may_vouch:
        return must_not_vouch("addresses")
    for group in change.details.groups or ():
        if group in privileged or not _may_assign(change.by.rule.groups, group):
            detail = f"The group {group} is assigned in the admin only, or by other sources."
            return Remark("forbidden_group", detail, "groups")
    return None


def _may_assign(limits: Sequence[str], group: str) -> bool:
    return not limits or group in limits


def must_not_vouch(field: str) -> Remark:
    detail = "Leave out verified: only a source that may vouch for addresses can send it; ask the operator."
    return Remark("forbidden_verified", detail, field)


def _privileged(round_: Indexed) -> set[str]:
    """Return the groups among those given that have permissions in the admin."""
    given = {name for _, change in round_ for name in change.details.groups or ()}
    if not given:
        return set()
    found = Group.objects.filter(name__in=given, permissions__isnull=False)
    return set(found.values_list("name", flat=True))


# --- reading ----------------------------------------------------------------------------------------------
def _load(changes: Sequence[Change]) -> tuple[dict[str, User], set[str]]:
    """Insert those who are missing and may be created, then lock all. Return them, and who was created."""
    ids = {change.external_id for change in changes}
    missing = ids - _existing(ids)
    wanted = [change for change in changes if change.external_id in missing and change.mode is not Mode.PATCH]
    made = _insert(wanted, suffixed=False)
    people = _locked(ids)
    taken = [change for change in wanted if change.external_id not in people]
    if taken:  # somebody else has the name as their login
        made |= _insert(taken, suffixed=True)
        people = _locked(ids)
    # An unusable password is random: one that is ours tells our row from that of another process.
    return people, {
        key for key, password in made.items() if key in people and people[key].password == password
    }


def _existing(external_ids: Iterable[str]) -> set[str]:
    found = User.objects.filter(external_id__in=set(external_ids))
    return set(found.values_list("external_id", flat=True))


def _insert(changes: Sequence[Change], *, suffixed: bool) -> dict[str, str]:
    """Insert people, in an order that cannot deadlock. Return the unusable password given to each."""
    rows = []
    for change in sorted(changes, key=lambda one: one.external_id):
        login = f"{change.external_id}~{token_hex(4)}" if suffixed else change.external_id
        row = User(username=login[-_USERNAME_MAX:], external_id=change.external_id)
        row.password = make_password(None)
        fill_profile(row, change)
        rows.append(row)
    if rows:
        User.objects.bulk_create(rows, ignore_conflicts=True)
    return {row.external_id: row.password for row in rows}


def _locked(external_ids: Iterable[str]) -> dict[str, User]:
    people = User.objects.select_for_update(no_key=True).filter(
        external_id__in=set(external_ids), erased_at=None
    )
    related = ("destinations__sources", "groups__permissions")
    return {person.external_id: person for person in people.order_by("pk").prefetch_related(*related)}


# --- writing ----------------------------------------------------------------------------------------------
def _write(drafts: Sequence[_Draft]) -> None:
    _write_people(drafts)
    _write_addresses(drafts)
    _write_groups([draft for draft in drafts if draft.groups is not None])


def _write_people(drafts: Sequence[_Draft]) -> None:
    changed = [draft.person for draft in drafts if draft.columns - {"is_active"}]
    columns = {column for draft in drafts for column in draft.columns} - {"is_active"}
    if changed:
        User.objects.bulk_update(changed, sorted(columns))
    for draft in drafts:
        if "is_active" in draft.columns:  # one by one: the signal ends the person's sockets
            draft.person.save(update_fields=["is_active"])


def _write_addresses(drafts: Sequence[_Draft]) -> None:
    removed = [one.pk for draft in drafts for one in draft.addresses.removed]
    if removed:
        Destination.objects.filter(pk__in=removed).delete()
    updated = [one for draft in drafts for one in draft.addresses.updated]
    if updated:
        Destination.objects.bulk_update(updated, ["verified_at", "label"])
    Destination.objects.bulk_create([one for draft in drafts for one in draft.addresses.added])
    links = Destination.sources.through
    named = [
        links(destination_id=one.pk, source_id=draft.change.by.source_id)
        for draft in drafts
        for one in [*draft.addresses.added, *draft.addresses.named]
        if draft.change.by.source_id is not None
    ]
    links.objects.bulk_create(named, ignore_conflicts=True)
    for draft in drafts:
        if draft.addresses.unnamed:
            ids = [one.pk for one in draft.addresses.unnamed]
            links.objects.filter(destination_id__in=ids, source=draft.change.by.source_id).delete()


def _write_groups(drafts: Sequence[_Draft]) -> None:
    """Set the groups; an unknown one is created, and grants nothing until an operator says so."""
    names = {name for draft in drafts for name in draft.groups or ()}
    if not names:
        for draft in drafts:
            draft.person.groups.clear()
        return
    Group.objects.bulk_create([Group(name=name) for name in sorted(names)], ignore_conflicts=True)
    groups = {group.name: group for group in Group.objects.filter(name__in=names)}
    members = User.groups.through
    rows = [
        members(user_id=draft.person.pk, group_id=groups[name].pk)
        for draft in drafts
        if draft.created
        for name in draft.groups or ()
    ]
    members.objects.bulk_create(rows, ignore_conflicts=True)
    for draft in drafts:
        if not draft.created:  # one by one: the signal makes the person's sockets check their topics
            draft.person.groups.set([groups[name] for name in draft.groups or ()])
