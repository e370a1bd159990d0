"""The fields of a person: of a recipient in an event, and of the calls that create and change people."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError

from gateway.codec.limits import InvalidEvent, check_text
from gateway.codec.schema import Field, Kind, Values, checked, integer, object_schema, reject_unknown, text
from notifications.states import Channel
from users import channel_choices
from users.locales import canonical_locale
from users.models import validate_time_zone
from users.people.values import ADDRESSES_OF_ONE, Details, GivenAddress

GROUPS = 100
_ADDRESS_BYTES = 500
_LOCALE_LENGTH = 16


def checked_object(fields: tuple[Field, ...], given: Any, path: str) -> Values:
    """Return the values of an object at `path` of the body. Raises: `InvalidEvent` with the whole path."""
    if not isinstance(given, dict):
        raise InvalidEvent("not_an_object", "Send an object.", path)
    try:
        reject_unknown(given, [field.name for field in fields])
        return checked(fields, given)
    except InvalidEvent as error:
        error.field = f"{path}.{error.field}" if path else error.field
        raise


def _nothing() -> None:
    """The value of a field that was not given: nothing changes."""


def _check_name(value: Any, field: str) -> str:
    return " ".join(_name.check(value, field).split())


def _check_locale(value: Any, field: str) -> str:
    try:
        return canonical_locale(text(_LOCALE_LENGTH).check(value, field))
    except ValidationError as error:
        raise InvalidEvent("unknown_locale", error.messages[0], field) from error


def _check_time_zone(value: Any, field: str) -> str:
    try:
        validate_time_zone(_name.check(value, field))
    except ValidationError as error:
        raise InvalidEvent("unknown_time_zone", error.messages[0], field) from error
    return str(value)


def check_boolean(value: Any, field: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidEvent("not_a_boolean", "Send true or false.", field)
    return value


def check_channel(value: Any, field: str) -> Channel:
    """Return a registered channel that needs an address. Raises: `InvalidEvent`."""
    offered = {Channel(number).name: Channel(number) for number, _ in channel_choices.destination_kinds()}
    found = next((one for name, one in offered.items() if value == name or value == one.value), None)
    if found is None or isinstance(value, bool):
        raise InvalidEvent("unknown_value", f"Send one of {', '.join(offered)}.", field)
    return found


def check_address(channel: Channel, address: str, field: str) -> str:
    """Return the address if it is one of the channel. Raises: `InvalidEvent`."""
    try:
        channel_choices.check_address(channel, address)
    except ValidationError as error:
        raise InvalidEvent("invalid_address", " ".join(error.messages), field) from error
    return address


def _check_addresses(fields: tuple[Field, ...]) -> Any:
    def check(value: Any, field: str) -> tuple[GivenAddress, ...]:
        if not isinstance(value, list) or len(value) > ADDRESSES_OF_ONE:
            detail = f"Send a list of at most {ADDRESSES_OF_ONE} addresses."
            raise InvalidEvent("too_many_addresses", detail, field)
        return tuple([given_address(fields, one, f"{field}[{index}]") for index, one in enumerate(value)])

    return check


def given_address(fields: tuple[Field, ...], given: Any, path: str) -> GivenAddress:
    """Return one address, checked as its channel demands. Raises: `InvalidEvent`."""
    values = checked_object(fields, given, path)
    address = check_address(values["channel"], values["address"], f"{path}.address".lstrip("."))
    return GivenAddress(values["channel"], address, bool(values["verified"]), values.get("label"))


def _check_groups(value: Any, field: str) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > GROUPS:
        raise InvalidEvent("invalid_groups", f"Send a list of at most {GROUPS} names.", field)
    for index, name in enumerate(value):
        if not isinstance(name, str) or not name.strip():
            raise InvalidEvent("invalid_groups", "Send the name of a group.", f"{field}[{index}]")
        check_text(name, f"{field}[{index}]", longest=150)
    return tuple(dict.fromkeys(value))


# --- the tables -------------------------------------------------------------------------------------------
_name = text(150)
_CHANNELS = {"type": "string", "description": "A channel that needs an address, as TELEGRAM or EMAIL."}
_CHANNEL = Field("channel", Kind(check_channel, _CHANNELS, _nothing), "the channel", required=True)
_ADDRESS = Field(
    "address", text(_ADDRESS_BYTES), "chat id, e-mail address or other address on it", required=True
)
_VERIFIED = Field(
    "verified",
    Kind(check_boolean, {"type": "boolean", "default": False}, _nothing),
    "true vouches for the address; without it nothing is claimed and nothing taken away",
)
LABEL = Field(
    "label",
    Kind(text(64).check, {"type": "string", "maxLength": 64}, _nothing),
    "a name for the address, for people",
)
ADDRESS = (_CHANNEL, _ADDRESS, _VERIFIED, LABEL)
_ADDRESS_OF_RECIPIENT = (_CHANNEL, _ADDRESS, _VERIFIED)

DESTINATION_CHANGE = (
    Field(
        "address",
        Kind(text(_ADDRESS_BYTES).check, {"type": "string", "maxLength": _ADDRESS_BYTES}, _nothing),
        "another address on the same channel; it is not verified, unless `verified` vouches for it",
    ),
    LABEL,
    Field(
        "verified",
        Kind(check_boolean, {"type": "boolean"}, _nothing),
        "true vouches for the address, false takes the verification away",
    ),
    Field(
        "enabled",
        Kind(check_boolean, {"type": "boolean"}, _nothing),
        "false: nothing is sent there; true also after a provider refused it",
    ),
    Field(
        "position",
        Kind(integer(ADDRESSES_OF_ONE).check, {"type": "integer", "minimum": 0}, _nothing),
        "its place among the person's addresses on the channel, from 0; they are tried in order",
    ),
)

CODE = (Field("code", text(40), "the code that was sent to the address; without it a new one is sent"),)


def _addresses(fields: tuple[Field, ...]) -> Kind:
    schema = {"type": "array", "maxItems": ADDRESSES_OF_ONE, "items": object_schema(fields)}
    return Kind(_check_addresses(fields), schema, _nothing)


_PROFILE = (
    Field("name", Kind(_check_name, {"type": "string", "maxLength": 150}, _nothing), "the full name"),
    Field(
        "locale",
        Kind(_check_locale, {"type": "string", "maxLength": _LOCALE_LENGTH}, _nothing),
        "language tag of the person's messages (`de`, `zh-Hans`)",
    ),
    Field(
        "time_zone",
        Kind(_check_time_zone, {"type": "string"}, _nothing),
        "IANA name of the person's time zone (`Europe/Zurich`)",
    ),
)
OWN = _PROFILE[1:]  # what people change themselves
PERSON = (
    *_PROFILE,
    Field(
        "active",
        Kind(check_boolean, {"type": "boolean"}, _nothing),
        "false: the person neither signs in nor receives messages",
    ),
    Field(
        "groups",
        Kind(
            _check_groups,
            {"type": "array", "maxItems": GROUPS, "items": {"type": "string", "maxLength": 150}},
            _nothing,
        ),
        "the person's groups, all of them; a new name creates a group",
    ),
    Field("addresses", _addresses(ADDRESS), "where channels reach the person"),
)
ITEM = (Field("user_id", text(128), "your own id of the person", required=True), *PERSON)
RECIPIENT = (
    *_PROFILE,
    Field("addresses", _addresses(_ADDRESS_OF_RECIPIENT), "where channels reach the person"),
)


def details_of(fields: tuple[Field, ...], given: Mapping[str, Any], path: str = "") -> Details:
    """Return what is given about a person. Raises: `InvalidEvent`."""
    return Details(**checked_object(fields, given, path))


def check_recipient(value: Any, field: str) -> Details:
    return details_of(RECIPIENT, value, field)
