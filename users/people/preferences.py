"""What a person wishes, section by section: as it is, and replaced as a whole.

Whoever changes something has what is held for the person looked at again: `store.look_again`.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, time
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Q

from users.models import (
    ChannelPreference,
    Digest,
    EventGroup,
    Hours,
    Mute,
    PiercingOptOut,
    Throttle,
    User,
)

PREFERENCES_OF_ONE = 1_000
HOURS_OF_ONE = 50


class ChannelWish(NamedTuple):
    """One channel in the person's order, for a type, a group, or with neither for every type.

    `position` None: its place among the wishes.
    """

    channel: int
    event_type: str = ""
    group: EventGroup | None = None
    enabled: bool = True
    min_priority: int = 0
    position: int | None = None


class MuteWish(NamedTuple):
    """`until` None: until it is lifted."""

    event_type: str = ""
    group: EventGroup | None = None
    until: datetime | None = None


class ThrottleWish(NamedTuple):
    at_most: int
    per_s: int
    event_type: str = ""
    group: EventGroup | None = None


class DigestWish(NamedTuple):
    """`mode` is a `DigestMode`; `weekdays` and `times` are on the person's clock."""

    channel: int
    mode: str
    event_type: str = ""
    group: EventGroup | None = None
    period_s: int | None = None
    times: tuple[time, ...] = ()
    weekdays: tuple[int, ...] = tuple(range(7))


class HoursWish(NamedTuple):
    """Weekdays as numbers, Monday is 0."""

    weekdays: tuple[int, ...]
    starts: time
    ends: time


def group_named(name: str) -> EventGroup | None:
    return EventGroup.objects.filter(name=name).first()


def channels_of(person: User) -> list[ChannelWish]:
    """Return the wishes, for every type first, each type's and each group's in the person's order."""
    rows = person.channel_preferences.select_related("group")
    return [
        ChannelWish(row.channel, row.event_type, row.group, row.enabled, row.min_priority)
        for row in rows.order_by("group__name", "event_type", "position", "pk")
    ]


def mutes_of(person: User, *, now: datetime) -> list[Mute]:
    """Return the mutes that have not ended."""
    return list(person.mutes.filter(Q(until=None) | Q(until__gt=now)).select_related("group"))


def hours_of(person: User, kind: str) -> list[HoursWish]:
    rows = person.hours.filter(kind=kind).order_by("weekdays", "starts")
    return [HoursWish(tuple(sorted(row.weekdays)), row.starts, row.ends) for row in rows]


def throttles_of(person: User) -> list[ThrottleWish]:
    rows = person.throttles.select_related("group")
    return [ThrottleWish(row.at_most, row.per_s, row.event_type, row.group) for row in rows]


def digests_of(person: User) -> list[DigestWish]:
    rows = person.digests.select_related("group")
    return [
        DigestWish(
            row.channel,
            row.mode,
            row.event_type,
            row.group,
            row.period_s,
            tuple(row.times),
            tuple(sorted(row.weekdays)),
        )
        for row in rows
    ]


def opted_out_of(person: User) -> list[EventGroup]:
    return [row.group for row in person.piercing_opt_outs.select_related("group").order_by("group__name")]


def _replace(person: User, rows: Any, made: Sequence[Any]) -> None:
    """Replace rows of a person by others, of which equal ones stay; two changes come one after the other."""
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).only("pk").get(pk=person.pk)
        wanted = {_content(one): one for one in made}
        stored = {_content(one): one.pk for one in rows}
        rows.filter(pk__in=[pk for content, pk in stored.items() if content not in wanted]).delete()
        rows.model.objects.bulk_create(one for content, one in wanted.items() if content not in stored)


def _content(row: Any) -> tuple[Any, ...]:
    fields = (one.attname for one in row._meta.concrete_fields if one.name not in {"id", "created_at"})
    values = (getattr(row, name) for name in fields)
    return tuple(tuple(value) if isinstance(value, list) else value for value in values)


def set_channels(person: User, wishes: Sequence[ChannelWish]) -> None:
    """Replace the wishes. Those of one type, of one group and of every type are in the person's order."""
    _replace(person, person.channel_preferences.all(), _made(person, wishes))


def _made(person: User, wishes: Sequence[ChannelWish]) -> list[ChannelPreference]:
    return [
        ChannelPreference(
            user=person, **wish._asdict() | {"position": place if wish.position is None else wish.position}
        )
        for place, wish in enumerate(wishes)
    ]


def set_channels_of(
    person: User, event_type: str, group: EventGroup | None, wishes: Sequence[ChannelWish]
) -> None:
    """Replace the wishes for one type, one group, or with neither for every type, and no others."""
    own = person.channel_preferences.filter(event_type=event_type, group=group)
    _replace(person, own, _made(person, wishes))


def set_mutes(person: User, wishes: Sequence[MuteWish]) -> None:
    _replace(person, person.mutes.all(), [Mute(user=person, **wish._asdict()) for wish in wishes])


def set_hours(kind: str) -> Callable[[User, Sequence[HoursWish]], None]:
    """Return what replaces the hours of this kind."""

    def replace(person: User, wishes: Sequence[HoursWish]) -> None:
        made = [
            Hours(user=person, kind=kind, weekdays=list(wish.weekdays), starts=wish.starts, ends=wish.ends)
            for wish in wishes
        ]
        _replace(person, person.hours.filter(kind=kind), made)

    return replace


def set_throttles(person: User, wishes: Sequence[ThrottleWish]) -> None:
    _replace(person, person.throttles.all(), [Throttle(user=person, **wish._asdict()) for wish in wishes])


def set_digests(person: User, wishes: Sequence[DigestWish]) -> None:
    made = [
        Digest(
            user=person,
            **wish._asdict()
            | {"period_s": wish.period_s or None, "times": list(wish.times), "weekdays": list(wish.weekdays)},
        )
        for wish in wishes
    ]
    _replace(person, person.digests.all(), made)


def set_opted_out(person: User, groups: Sequence[EventGroup]) -> None:
    made = [PiercingOptOut(user=person, group=group) for group in groups]
    _replace(person, person.piercing_opt_outs.all(), made)


def mute(person: User, wish: MuteWish) -> Mute:
    """Mute a type, a group or everything; a mute of the same comes to an end with it."""
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).only("pk").get(pk=person.pk)
        person.mutes.filter(event_type=wish.event_type, group=wish.group).delete()
        return Mute.objects.create(user=person, **wish._asdict())


def unmute(person: User, pk: int) -> bool:
    """Lift a mute. Return whether there was one."""
    return bool(person.mutes.filter(pk=pk).delete()[0])
