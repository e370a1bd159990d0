"""Which of a person's wishes and the operator's settings counts for an event: the most specific one. Pure.

docs/preferences.md has the order as a table.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from notifications.states import Channel
from notifications.wishes import Group, Mute, Policy, Preference, Throttle

Rules = dict[Channel, Preference]
_EVER = datetime.max.replace(tzinfo=UTC)


class _Scoped(Protocol):
    @property
    def event_type(self) -> str: ...
    @property
    def group_id(self) -> int | None: ...


S = TypeVar("S", bound=_Scoped)


def group_of(policy: Policy, event_type: str) -> Group | None:
    """Return the group of a type: by its name, else by its longest beginning."""
    best, longest = None, -1
    for group in policy.groups:
        for pattern in group.event_types:
            if pattern == event_type:
                return group
            stem = pattern[:-1]
            if pattern.endswith("*") and event_type.startswith(stem) and len(stem) > longest:
                best, longest = group, len(stem)
    return best


def _rank(rule: _Scoped, event_type: str, group_id: int | None) -> int:
    """Return how specific a rule is: 2 for the type, 1 for its group, 0 for every type, -1 for another one."""
    if rule.event_type:
        return 2 if rule.event_type == event_type else -1
    if rule.group_id is not None:
        return 1 if rule.group_id == group_id else -1
    return 0


def of_channels(preferences: Iterable[Preference], event_type: str, group_id: int | None) -> Rules:
    """Return the rule of each channel that has one."""
    chosen: Rules = {}
    ranks: dict[Channel, int] = {}
    for preference in preferences:
        rank = _rank(preference, event_type, group_id)
        if rank > ranks.get(preference.channel, -1):
            chosen[preference.channel], ranks[preference.channel] = preference, rank
    return chosen


def muted_until(
    mutes: Sequence[Mute], event_type: str, group: Group | None, now: datetime
) -> tuple[bool, datetime | None]:
    """Return whether the type is muted, and until when; None: until it is lifted."""
    group_id = group.id if group else None
    ends = [mute.until or _EVER for mute in mutes if _rank(mute, event_type, group_id) >= 0]
    last = max(ends, default=now)
    return last > now, None if last is _EVER else last


def throttle_of(throttles: Sequence[Throttle], event_type: str, group: Group | None) -> Throttle | None:
    """Return the person's throttle for the type, else the operator's for its group."""
    group_id = group.id if group else None
    own = [one for one in throttles if _rank(one, event_type, group_id) >= 0]
    if own:
        return max(own, key=lambda one: _rank(one, event_type, group_id))
    return group.throttle if group else None
