"""Values of foreign JSON, read strictly: amounts keep every digit, and nothing is guessed."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from gateway.codec.limits import LATEST_MS, InvalidEvent
from gateway.normalizers.base import not_understood

_OF_SECONDS = re.compile(r"(\.\d{6})\d+")  # RFC 3339 as Go writes it has nanoseconds
# Seconds, milliseconds, microseconds and nanoseconds, by their size: below, times, divided by.
_UNITS = ((10**11, 1000, 1), (10**14, 1, 1), (10**17, 1, 1000), (10**20, 1, 10**6))


def parse(body: bytes) -> Any:
    """Return the JSON. A number that a float would change (`85000.00`) is its text, digit for digit."""
    try:
        return json.loads(body, parse_float=_exact, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidEvent("invalid_json", f"Send valid JSON: {str(error)[:120]}.") from error


def parse_object(body: bytes) -> dict[str, Any]:
    found = parse(body)
    if not isinstance(found, dict):
        raise InvalidEvent("not_an_object", "Send a JSON object.")
    return found


def _exact(digits: str) -> float | str:
    number = float(digits)
    return number if repr(number) == digits else digits


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def text(given: Mapping[str, Any], name: str, *, required: bool = True) -> str:
    """Return a text, or a whole number as text: an id may be either."""
    value = given.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is None or value == "":
        if required:
            raise not_understood(f"{name} is missing.", name)
        return ""
    if not isinstance(value, str):
        raise not_understood(f"{name} is not a text.", name)
    return value


def amount(given: Mapping[str, Any], name: str, *, required: bool = True) -> str:
    """Return a decimal number as its digits stand in the input."""
    value = given.get(name)
    if value is None or value == "":
        if required:
            raise not_understood(f"{name} is missing.", name)
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise not_understood(f"{name} is not a number.", name)
    decimal(str(value), name)
    return str(value)


def decimal(digits: str, name: str) -> Decimal:
    try:
        number = Decimal(digits)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise not_understood(f"{name} is not a number.", name)
    return number


def moment_ms(value: Any, name: str) -> int:
    """Return a time as Unix milliseconds: a number in s, ms, µs or ns, as text too, or RFC 3339."""
    if isinstance(value, str) and not value.isdecimal():
        return _of_rfc3339(value, name)
    number = int(value) if isinstance(value, str) and len(value) <= 20 else value
    if isinstance(number, int | float) and not isinstance(number, bool) and number > 0:
        for below, times, divided_by in _UNITS:
            if number < below:
                return int(number * times) // divided_by
    raise not_understood(f"{name} is not a time.", name)


def _of_rfc3339(value: str, name: str) -> int:
    try:
        moment = datetime.fromisoformat(_OF_SECONDS.sub(r"\1", value))
        if moment.tzinfo is None:
            raise not_understood(f"{name} has no time zone.", name)
        milliseconds = int(moment.timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise not_understood(f"{name} is not a time.", name) from error
    if not 0 < milliseconds <= LATEST_MS:
        raise not_understood(f"{name} is not a time of our age.", name)
    return milliseconds


def objects(given: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return a list of objects."""
    found = given.get(name)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise not_understood(f"{name} is not a list of objects.", name)
    return found


def without_empty(**fields: Any) -> dict[str, Any]:
    """Return the fields that are known."""
    return {name: value for name, value in fields.items() if value is not None and value != ""}
