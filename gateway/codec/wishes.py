"""The fields of a person's preferences, a section each."""

from typing import Any

from gateway.codec import fields
from gateway.codec.limits import InvalidEvent
from gateway.codec.people import check_boolean, checked_object
from gateway.codec.schema import Field, Kind, object_schema
from notifications.states import Channel
from users import channel_choices
from users.people.preferences import PREFERENCES_OF_ONE, ChannelWish


def _check_event_type(value: Any, field: str) -> str:
    """Return the name of an event type, "" for all of them."""
    if isinstance(value, str) and (not value or value in fields.TYPES or fields.is_type_name(value)):
        return value
    detail = 'Send a name of EventType, a type of your own such as my_app.thing_done, or "" for every type.'
    raise InvalidEvent("unknown_event_type", detail, field)


def _check_channel(value: Any, field: str) -> Channel:
    offered = {Channel(number).name: Channel(number) for number, _ in channel_choices.preference_channels()}
    if not isinstance(value, str) or value not in offered:
        raise InvalidEvent("unknown_value", f"Send one of {', '.join(offered)}.", field)
    return offered[value]


_CHANNEL_WISH = (
    Field("channel", Kind(_check_channel, {"type": "string"}, lambda: None), "the channel", required=True),
    Field(
        "event_type", Kind(_check_event_type, {"type": "string"}, str), 'the type it is for; "" is every type'
    ),
    Field(
        "enabled",
        Kind(check_boolean, {"type": "boolean", "default": True}, lambda: True),
        "false: nothing of this type is sent on the channel",
    ),
)


def _check_channels(value: Any, field: str) -> list[ChannelWish]:
    if not isinstance(value, list) or len(value) > PREFERENCES_OF_ONE:
        raise InvalidEvent("invalid_preferences", f"Send a list of at most {PREFERENCES_OF_ONE}.", field)
    found: dict[tuple[int, str], ChannelWish] = {}
    for index, one in enumerate(value):
        path = f"{field}[{index}]"
        wish = ChannelWish(**checked_object(_CHANNEL_WISH, one, path))
        if (wish.channel, wish.event_type) in found:
            detail = "Name a channel once for each event type, in the order in which they are tried."
            raise InvalidEvent("invalid_preferences", detail, path)
        found[wish.channel, wish.event_type] = wish
    return list(found.values())


_CHANNELS = {"type": "array", "maxItems": PREFERENCES_OF_ONE, "items": object_schema(_CHANNEL_WISH)}
PREFERENCES = (
    Field(
        "channels",
        Kind(_check_channels, _CHANNELS, lambda: None),
        "the channels in the person's order, and which are off, for every type or for one",
    ),
)
