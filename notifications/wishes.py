"""What a person wishes and what the operator has set, as routing reads it: values without I/O.

A rule is for one event type, for a group of types, or for every type.
"""

from dataclasses import dataclass, field
from datetime import datetime, time

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
    period_s: int = 0  # of INTERVAL and REPEATS
    times: tuple[time, ...] = ()  # of SCHEDULE, on the person's clock
    weekdays: frozenset[int] = frozenset()


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
    defaults: tuple[Preference, ...] = ()
    digests: tuple[Digest, ...] = ()
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


@dataclass(frozen=True, slots=True)
class Span:
    """A time of some weekdays (Monday is 0) on the person's clock. One that ends before it starts ends on the
    next day; one that ends when it starts lasts a whole day."""

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
    digests: tuple[Digest, ...] = ()


NO_POLICY = Policy()
NO_WISHES = Wishes()
