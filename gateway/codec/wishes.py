"""The fields of a person's preferences, a section each."""

from collections.abc import Callable, Hashable
from datetime import UTC, datetime, time
from typing import Any, TypeVar

from gateway.codec import fields
from gateway.codec.limits import InvalidEvent, check_time
from gateway.codec.people import check_boolean, checked_object
from gateway.codec.schema import Field, Kind, Values, integer, object_schema
from notifications.states import Channel, Priority
from users import channel_choices
from users.digest_modes import DigestMode
from users.models import EventGroup, Weekday
from users.people.preferences import (
    HOURS_OF_ONE,
    PREFERENCES_OF_ONE,
    ChannelWish,
    DigestWish,
    HoursWish,
    MuteWish,
    ThrottleWish,
    group_named,
)

WEEKDAYS = [day.name for day in Weekday]
_PRIORITIES = [priority.name for priority in Priority]
_MONTH_S = 31 * 24 * 3600
_DAY_S = 24 * 3600
_TIMES_OF_ONE = 24
_MODES = [mode.name for mode in DigestMode]
T = TypeVar("T")


def _check_event_type(value: Any, field: str) -> str:
    """Return the name of an event type, "" for all of them."""
    if isinstance(value, str) and (not value or value in fields.TYPES or fields.is_type_name(value)):
        return value
    detail = 'Send a name of EventType, a type of your own such as my_app.thing_done, or "" for every type.'
    raise InvalidEvent("unknown_event_type", detail, field)


def _check_group(value: Any, field: str) -> EventGroup | None:
    group = group_named(value) if isinstance(value, str) and "\0" not in value else None
    if group is None and value != "":
        raise InvalidEvent("unknown_group", "No group has this name; GET /event-groups lists them.", field)
    return group


def _check_channel(value: Any, field: str) -> Channel:
    offered = {Channel(number).name: Channel(number) for number, _ in channel_choices.preference_channels()}
    if not isinstance(value, str) or value not in offered:
        raise InvalidEvent("unknown_value", f"Send one of {', '.join(offered)}.", field)
    return offered[value]


def _one_of(names: list[str]) -> Callable[[Any, str], int]:
    """Return the check of a name, which gives its place in the list."""

    def check(value: Any, field: str) -> int:
        if value not in names:
            raise InvalidEvent("unknown_value", f"Send one of {', '.join(names)}.", field)
        return names.index(value)

    return check


def _check_until(value: Any, field: str) -> datetime:
    return datetime.fromtimestamp(check_time(value, field) / 1000, UTC)


def _check_clock(value: Any, field: str) -> time:
    try:
        return time.fromisoformat(value if isinstance(value, str) and len(value) == 5 else "")
    except ValueError:
        raise InvalidEvent("invalid_time", "Send a time of day such as 22:00.", field) from None


def _check_weekdays(value: Any, field: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= len(WEEKDAYS):
        raise InvalidEvent("invalid_preferences", f"Send a list of {', '.join(WEEKDAYS)}.", field)
    days = {_one_of(WEEKDAYS)(day, f"{field}[{index}]") for index, day in enumerate(value)}
    return tuple(sorted(days))


def _type_or_group(values: Values) -> None:
    if values["event_type"] and values["group"]:
        detail = "Name an event type or a group; neither means every type."
        raise InvalidEvent("invalid_preferences", detail, "group")


_OF = (
    Field(
        "event_type", Kind(_check_event_type, {"type": "string"}, str), 'the type it is for; "" is every type'
    ),
    Field(
        "group",
        Kind(_check_group, {"type": "string"}, lambda: None),
        "the group of types it is for, instead of a type",
        rule=_type_or_group,
    ),
)
_CHANNEL_WISH = (
    Field("channel", Kind(_check_channel, {"type": "string"}, lambda: None), "the channel", required=True),
    *_OF,
    Field(
        "enabled",
        Kind(check_boolean, {"type": "boolean", "default": True}, lambda: True),
        "false: nothing of this type is sent on the channel",
    ),
    Field(
        "min_priority",
        Kind(_one_of(_PRIORITIES), {"enum": _PRIORITIES}, lambda: 0),
        "nothing less urgent is sent on the channel",
    ),
)
MUTE = (
    *_OF,
    Field(
        "until",
        Kind(_check_until, {"type": "integer"}, lambda: None),
        "Unix milliseconds; without it, until it is lifted",
    ),
)
_THROTTLE = (
    Field("at_most", integer(1_000, 1), "so many events of one type", required=True),
    Field("per_s", integer(_MONTH_S, 1), "within so many seconds", required=True),
    *_OF,
)
_CLOCK = Kind(_check_clock, {"type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]$"}, lambda: None)
_HOURS = (
    Field(
        "weekdays",
        Kind(_check_weekdays, {"type": "array", "items": {"enum": WEEKDAYS}}, lambda: tuple(range(7))),
        "the days on which it starts; without them every day",
    ),
    Field("starts", _CLOCK, "a time of day on the person's clock", required=True),
    Field("ends", _CLOCK, "on the next day if it is not later", required=True),
)


def _check_mode(value: Any, field: str) -> str:
    return DigestMode[_MODES[_one_of(_MODES)(value, field)]].value


def _check_times(value: Any, field: str) -> tuple[time, ...]:
    if not isinstance(value, list) or len(value) > _TIMES_OF_ONE:
        detail = f"Send a list of at most {_TIMES_OF_ONE} times of day."
        raise InvalidEvent("invalid_preferences", detail, field)
    return tuple(sorted({_check_clock(one, f"{field}[{index}]") for index, one in enumerate(value)}))


def _check_digest_channel(value: Any, field: str) -> Channel:
    channel = _check_channel(value, field)
    if int(channel) not in dict(channel_choices.destination_kinds()):
        raise InvalidEvent("unknown_value", "A page shows each event by itself; name another channel.", field)
    return channel


def _has_what_its_mode_needs(values: Values) -> None:
    if values["mode"] == DigestMode.SCHEDULE and not values["times"]:
        raise InvalidEvent("invalid_preferences", "SCHEDULE needs times of day.", "times")
    if values["mode"] in {DigestMode.INTERVAL, DigestMode.REPEATS} and not values["period_s"]:
        raise InvalidEvent("invalid_preferences", "INTERVAL and REPEATS need period_s.", "period_s")


_DIGEST = (
    Field(
        "channel", Kind(_check_digest_channel, {"type": "string"}, lambda: None), "the channel", required=True
    ),
    Field(
        "mode",
        Kind(_check_mode, {"enum": _MODES}, lambda: None),
        "INTERVAL: a period after the first one that waits. SCHEDULE: at times of day. REPEATS: the first "
        "of a type at once, and what follows it within the period together. OFF: each at once",
        required=True,
    ),
    *_OF,
    Field(
        "times",
        Kind(
            _check_times,
            {"type": "array", "maxItems": _TIMES_OF_ONE, "items": {"type": "string"}},
            tuple,
        ),
        "of SCHEDULE: times of day on the person's clock",
    ),
    Field(
        "weekdays",
        Kind(_check_weekdays, {"type": "array", "items": {"enum": WEEKDAYS}}, lambda: tuple(range(7))),
        "of SCHEDULE: its days; without them every day",
    ),
    Field(
        "period_s",
        integer(_DAY_S, 1),
        "of INTERVAL and REPEATS: how long it collects, in seconds",
        rule=_has_what_its_mode_needs,
    ),
)


def _list_of(
    table: tuple[Field, ...],
    made: Callable[..., T],
    key: Callable[[T], Hashable],
    twice: str,
    longest: int = PREFERENCES_OF_ONE,
) -> Kind:
    """A list of objects, no two of them with the same key."""

    def check(value: Any, field: str) -> list[T]:
        if not isinstance(value, list) or len(value) > longest:
            raise InvalidEvent("invalid_preferences", f"Send a list of at most {longest}.", field)
        found: dict[Hashable, T] = {}
        for index, given in enumerate(value):
            path = f"{field}[{index}]"
            one = made(**checked_object(table, given, path))
            if key(one) in found:
                raise InvalidEvent("invalid_preferences", twice, path)
            found[key(one)] = one
        return list(found.values())

    schema = {"type": "array", "maxItems": longest, "items": object_schema(table)}
    return Kind(check, schema, lambda: None)


def _check_opted_out(value: Any, field: str) -> list[EventGroup]:
    if not isinstance(value, list) or len(value) > PREFERENCES_OF_ONE:
        raise InvalidEvent("invalid_preferences", "Send a list of names of groups.", field)
    found: dict[int, EventGroup] = {}
    for index, name in enumerate(value):
        group = _check_group(name, f"{field}[{index}]")
        if group is None or not group.may_opt_out_of_piercing:
            detail = "The operator does not allow this for the group."
            raise InvalidEvent("opt_out_not_allowed", detail, f"{field}[{index}]")
        found[group.pk] = group
    return list(found.values())


def _of(wish: Any) -> Hashable:
    return wish.event_type, wish.group


def _hours_field(name: str, description: str) -> Field:
    return Field(name, _list_of(_HOURS, HoursWish, hash, "Name each time once.", HOURS_OF_ONE), description)


PREFERENCES = (
    Field(
        "channels",
        _list_of(
            _CHANNEL_WISH,
            ChannelWish,
            lambda wish: (wish.channel, _of(wish)),
            "Name a channel once for each event type or group, in the order in which they are tried.",
        ),
        "the channels in the person's order, and which are off, for every type, for a group or for a type",
    ),
    Field("mutes", _list_of(MUTE, MuteWish, _of, "Mute it once."), "what is not sent for now"),
    _hours_field("quiet_hours", "when nothing is sent but what is CRITICAL"),
    _hours_field("send_windows", "if there are any, the only times at which the rest is sent"),
    Field(
        "throttles",
        _list_of(_THROTTLE, ThrottleWish, _of, "Throttle it once."),
        "how many events of one type are enough",
    ),
    Field(
        "digests",
        _list_of(
            _DIGEST,
            DigestWish,
            lambda wish: (wish.channel, _of(wish)),
            "Name a digest once for each channel and event type or group.",
        ),
        "what goes together, as one message",
    ),
    Field(
        "not_piercing",
        Kind(_check_opted_out, {"type": "array", "items": {"type": "string"}}, lambda: None),
        "groups whose CRITICAL events do not pierce, where the operator allows it",
    ),
)
