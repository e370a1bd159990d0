"""What a person wishes and what the operator has set, as routing reads it: values without I/O.

A rule is for one event type, for a group of types, or for every type.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import NamedTuple, Self, TypeVar

from notifications.states import Channel, Priority
from users.digest_modes import DigestMode


@dataclass(frozen=True, slots=True)
class Preference:
    """Whether a channel is used, from which priority on, and its place in the order.

    A person's wish, or the operator's default. Of a type if `event_type` is set, of a group if `group_id` is.
    """

    event_type: str  # "": every type
    channel: Channel
    position: int = 0
    enabled: bool = True
    group_id: int | None = None
    min_priority: Priority = Priority.INFORMATIONAL


@dataclass(frozen=True, slots=True)
class Throttle:
    """At most `at_most` events of one type within `per_s` seconds."""

    at_most: int
    per_s: int
    event_type: str = ""
    group_id: int | None = None


@dataclass(frozen=True, slots=True)
class Digest:
    """When what is sent on a channel goes together: a person's wish, or the operator's default."""

    event_type: str  # "": every type
    channel: Channel
    mode: DigestMode
    group_id: int | None = None
    period: timedelta = timedelta()  # of INTERVAL and REPEATS
    times: tuple[time, ...] = ()  # of SCHEDULE, on the person's clock
    weekdays: frozenset[int] = frozenset()


_Rule = TypeVar("_Rule", Preference, Digest)


class RuleSet(tuple[_Rule, ...]):
    """Rules, one of a channel for each type, each group and every type. Made once, asked for each event."""

    _by_scope: dict[str | int | None, dict[Channel, _Rule]]  # the type, else the group's id, else None

    def __new__(cls, rules: Iterable[_Rule] = ()) -> Self:
        made = super().__new__(cls, rules)  # type: ignore[arg-type]
        made._by_scope = {}
        for rule in made:
            made._by_scope.setdefault(rule.event_type or rule.group_id, {})[rule.channel] = rule
        return made

    def of_channels(self, event_type: str, group_id: int | None) -> dict[Channel, _Rule]:
        """Return the most specific rule of each channel: the type's, its group's, or every type's.

        The answer is not to be changed: it may be the same for the next event.
        """
        by_scope = self._by_scope
        found = by_scope.get(None) or {}
        for scope in (group_id, event_type):
            if scope and scope in by_scope:
                found = found | by_scope[scope]
        return found


NO_PREFERENCES: RuleSet[Preference] = RuleSet()
NO_DIGESTS: RuleSet[Digest] = RuleSet()


@dataclass(frozen=True, slots=True)
class Group:
    """Event types that the operator has put together."""

    id: int
    name: str
    event_types: tuple[str, ...]  # names, or with a * at the end the beginnings of names
    mandatory: bool = False
    may_opt_out: bool = False  # a person may keep its CRITICAL events from piercing
    throttle: Throttle | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator has set for everybody. Made once for a batch, and asked for each event."""

    groups: tuple[Group, ...] = ()
    defaults: RuleSet[Preference] = NO_PREFERENCES
    digests: RuleSet[Digest] = NO_DIGESTS
    _by_name: dict[str, Group] = field(init=False, repr=False, compare=False, default_factory=dict)
    _by_stem: list[tuple[str, Group]] = field(init=False, repr=False, compare=False, default_factory=list)

    def __post_init__(self) -> None:
        for group in self.groups:
            for name in group.event_types:
                if name.endswith("*"):
                    self._by_stem.append((name[:-1], group))
                else:
                    self._by_name[name] = group
        self._by_stem.sort(key=lambda entry: -len(entry[0]))

    def group_of(self, event_type: str) -> Group | None:
        """Return the group of a type: by its name, else by its longest beginning."""
        group = self._by_name.get(event_type)
        if group is None:
            for stem, of_stem in self._by_stem:
                if event_type.startswith(stem):
                    return of_stem
        return group


@dataclass(frozen=True, slots=True)
class Mute:
    until: datetime | None = None  # None: until it is lifted
    event_type: str = ""
    group_id: int | None = None


class Span(NamedTuple):
    """A time of some weekdays (Monday is 0) on the person's clock. One that ends before it starts ends on the
    next day; one that ends when it starts lasts a whole day. Hashed for each event, hence a named tuple."""

    weekdays: frozenset[int]
    starts: time
    ends: time


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person has set besides preferences."""

    mutes: tuple[Mute, ...] = ()
    throttles: tuple[Throttle, ...] = ()
    quiet: tuple[Span, ...] = ()  # nothing is sent then
    windows: tuple[Span, ...] = ()  # if there are any: sent only then
    opted_out: frozenset[int] = frozenset()  # groups whose CRITICAL events do not pierce
    digests: RuleSet[Digest] = NO_DIGESTS


NO_POLICY = Policy()
NO_WISHES = Wishes()
