"""The channels that people can be reached on, as forms and validation need them.

Filled by `notifications.transports.registry` while Django starts: the models here know no channel by name.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.core.exceptions import ValidationError

Choices = list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class AddressForm:
    """What an address on a channel looks like.

    Example: `AddressForm(hint="e-mail address", check=validate_email)`; `check` raises `ValidationError`.
    """

    hint: str
    check: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Offered:
    name: str
    label: str
    address: AddressForm | None


_offered: dict[int, _Offered] = {}


def offer(number: int, *, name: str, label: str, address: AddressForm | None) -> None:
    """Offer a channel in preferences and, if it has an address form, as a kind of destination."""
    _offered[number] = _Offered(name, label, address)


def withdraw(number: int) -> None:
    del _offered[number]


def number_of(name: str) -> int:
    """Return the number of the channel `name`. Raises: `KeyError`."""
    return {channel.name: number for number, channel in _offered.items()}[name]


def preference_channels() -> Choices:
    return [(number, channel.label) for number, channel in sorted(_offered.items())]


def destination_kinds() -> Choices:
    return [(number, channel.label) for number, channel in sorted(_offered.items()) if channel.address]


def address_hints() -> str:
    """Return one sentence for a form's help text: what an address is on each channel."""
    hints = [f"{channel.label}: {channel.address.hint}" for channel in _offered.values() if channel.address]
    return "; ".join(hints)


def check_address(number: int, address: str) -> None:
    """Check an address on a channel. Raises: `ValidationError` for the field `address`."""
    channel = _offered.get(number)
    if channel is None or channel.address is None:
        return
    try:
        channel.address.check(address)
    except ValidationError as error:
        raise ValidationError({"address": error.messages}) from None
