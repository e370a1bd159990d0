"""Which of a person's wishes and the operator's settings counts for an event: the most specific one. Pure.

docs/preferences.md has the order as a table.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from notifications.states import Channel, Priority, SkipReason
from notifications.wishes import Group, Mute, Preference, Throttle

Rules = dict[Channel, Preference]
T = TypeVar("T")
_EVER = datetime.max.replace(tzinfo=UTC)


class _Scoped(Protocol):
    @property
    def event_type(self) -> str: ...
    @property
    def group_id(self) -> int | None: ...


def _rank(rule: _Scoped, event_type: str, group_id: int | None) -> int:
    """Return how specific a rule is: 2 for the type, 1 for its group, 0 for every type; -1: of another."""
    if rule.event_type:
        return 2 if rule.event_type == event_type else -1
    if rule.group_id is not None:
        return 1 if rule.group_id == group_id else -1
    return 0


def in_order(order: Sequence[T], of_channels: Rules, channel_of: Callable[[T], Channel]) -> Sequence[T]:
    """Sort by the positions of the rules; a channel without one has its place in the default `order`."""
    if not of_channels:
        return order
    places = [
        (rule.position if (rule := of_channels.get(channel_of(one))) else default, default)
        for default, one in enumerate(order)
    ]
    places.sort()
    return [order[default] for _, default in places]


def unwanted(rule: Preference, priority: Priority) -> SkipReason | None:
    """Return why the rule keeps an event off its channel, or None."""
    if not rule.enabled:
        return SkipReason.SWITCHED_OFF
    return SkipReason.BELOW_PRIORITY if priority < rule.min_priority else None


def muted_until(
    mutes: Sequence[Mute], event_type: str, group: Group | None, now: datetime
) -> tuple[bool, datetime | None]:
    """Return whether the type is muted, and until when; None: until it is lifted."""
    group_id, last = group.id if group else None, now
    for mute in mutes:
        if _rank(mute, event_type, group_id) >= 0:
            last = max(last, mute.until or _EVER)
    return last > now, None if last is _EVER else last


def throttle_of(throttles: Sequence[Throttle], event_type: str, group: Group | None) -> Throttle | None:
    """Return the person's throttle for the type, else, or if it is mandatory, the operator's."""
    if group is not None and group.mandatory:
        return group.throttle
    group_id = group.id if group else None
    own = [one for one in throttles if _rank(one, event_type, group_id) >= 0]
    if own:
        return max(own, key=lambda one: _rank(one, event_type, group_id))
    return group.throttle if group else None
