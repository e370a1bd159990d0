"""Which people a source may address and manage, where that depends on their groups."""

from collections import defaultdict
from collections.abc import Iterable

from django.db.models import Q, QuerySet

from users.models import User
from users.people.values import PeopleRule, Remark

Asked = tuple[PeopleRule, str]


def forbidden(asked: Iterable[Asked]) -> set[Asked]:
    """Return the pairs of a rule and a person's external id that the rule does not allow.

    One query for all, and none if no rule names groups. Somebody unknown is in no group.
    """
    doubtful = {(rule, external_id) for rule, external_id in asked if not rule.covers(external_id)}
    groups = _groups([external_id for rule, external_id in doubtful if rule.groups])
    return {
        (rule, external_id)
        for rule, external_id in doubtful
        if groups.get(external_id, set()).isdisjoint(rule.groups)
    }


def allows(rule: PeopleRule, external_id: str) -> bool:
    return not forbidden([(rule, external_id)])


def of_rule(people: QuerySet[User], rule: PeopleRule) -> QuerySet[User]:
    """Return those that the rule allows."""
    if rule.everybody:
        return people
    allowed = Q(pk__in=User.groups.through.objects.filter(group__name__in=rule.groups).values("user_id"))
    for prefix in rule.prefixes:
        allowed |= Q(external_id__startswith=prefix)
    return people.filter(allowed)


def not_allowed(rule: PeopleRule) -> Remark:
    """Return what a source is told that names somebody whom its rule does not allow."""
    named = [f"whose user_id begins with {prefix}" for prefix in rule.prefixes]
    named += [f"in the group {group}" for group in rule.groups]
    detail = f"This source may address and manage only people {' or '.join(named)}; ask the operator."
    return Remark("forbidden_user", detail, "user_id")


def _groups(external_ids: Iterable[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    wanted = [external_id for external_id in external_ids if "\0" not in external_id]
    if wanted:
        members = User.objects.filter(external_id__in=wanted, groups__isnull=False)
        for external_id, group in members.values_list("external_id", "groups__name"):
            found[external_id].add(group)
    return found
