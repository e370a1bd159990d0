"""Whom a draft is for: accounts by the source's table, groups by their members."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.codec.limits import InvalidEvent, check_text
from gateway.normalizers.base import Draft, JsonObject, To, Whom, event_id
from users.models import Account, User

MEMBERS = 200  # a larger group follows a topic

Addressed = tuple[Draft, JsonObject]


@dataclass(frozen=True, slots=True)
class Directory:
    """The accounts and groups that some drafts name."""

    accounts: dict[str, str]
    groups: dict[str, list[str]]

    def addressed(self, draft: Draft) -> list[Addressed]:
        """Return the events of a draft, with id and recipient. Raises: `InvalidEvent`."""
        match draft.to.whom:
            case Whom.ACCOUNT:
                return [_for(draft, draft.event_id, "user_id", self._person(draft.to.name))]
            case Whom.GROUP:
                members = self._members(draft.to.name)
                return [_for(draft, event_id(draft.event_id, one), "user_id", one) for one in members]
        return [_for(draft, draft.event_id, draft.to.whom.value, draft.to.name)]

    def _person(self, account: str) -> str:
        if account not in self.accounts:
            detail = f"Nobody has the account {account[:100]!r}: add it with PUT /api/v1/accounts."
            raise InvalidEvent("unknown_account", detail, "account")
        return self.accounts[account]

    def _members(self, group: str) -> list[str]:
        members = self.groups.get(group, [])
        if not members:
            raise InvalidEvent("unknown_group", f"Nobody is in a group {group[:100]!r}.", "group")
        if len(members) > MEMBERS:
            detail = f"The group has more than {MEMBERS} members: name a topic that they follow."
            raise InvalidEvent("group_too_large", detail, "group")
        return members


def _for(draft: Draft, name: str, whom: str, recipient: str) -> Addressed:
    return draft, {**draft.event, "event_id": name, whom: recipient}


def directory(source_id: int, drafts: Sequence[Draft]) -> Directory:
    """Look up what the drafts name: at most one query for accounts and one for groups."""
    accounts = _names(drafts, Whom.ACCOUNT)
    groups = _names(drafts, Whom.GROUP)
    return Directory(_persons(source_id, accounts) if accounts else {}, _members_of(groups) if groups else {})


def _names(drafts: Iterable[Draft], whom: Whom) -> set[str]:
    return {draft.to.name for draft in drafts if draft.to.whom is whom and _is_text(draft.to)}


def _is_text(to: To) -> bool:
    """Return False for what Postgres would reject the whole query for."""
    try:
        check_text(to.name, "to")
    except InvalidEvent:
        return False
    return True


def _persons(source_id: int, accounts: set[str]) -> dict[str, str]:
    rows = Account.objects.filter(source_id=source_id, account__in=accounts, person__is_active=True)
    return dict(rows.values_list("account", "person__external_id"))


def _members_of(groups: set[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    members = User.objects.filter(groups__name__in=groups, is_active=True).order_by("external_id")
    for group, external_id in members.values_list("groups__name", "external_id"):
        if group in groups and len(found[group]) <= MEMBERS:
            found[group].append(external_id)
    return found
