"""Changes of group membership: the open sockets of those persons check their topics again."""

from collections.abc import Collection
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models.signals import m2m_changed, pre_delete

from notifications.topics import subscriptions
from users.models import User

# After a clear, the removed members are no longer known.
_ACTIONS = {"post_add", "post_remove", "pre_clear"}


def connect() -> None:
    """Called once, when the apps are ready."""
    m2m_changed.connect(_changed, User.groups.through, dispatch_uid="tocsin.memberships")
    pre_delete.connect(_group_deleted, Group, dispatch_uid="tocsin.group_goes")


def _changed(
    instance: User | Group, action: str, reverse: bool, pk_set: Collection[int] | None, **_: Any
) -> None:
    """`reverse`: the change was made on a group, not on a person."""
    if action not in _ACTIONS:
        return
    if not reverse:
        _notify([instance.pk])
    else:
        _notify(_members(instance.pk) if pk_set is None else pk_set)


def _group_deleted(instance: Group, **_: Any) -> None:
    _notify(_members(instance.pk))


def _members(group_id: int) -> list[int]:
    return list(User.objects.filter(groups=group_id).values_list("pk", flat=True))


def _notify(person_ids: Collection[int]) -> None:
    transaction.on_commit(lambda: subscriptions.notify(person_ids), robust=True)
