"""Moments, as producers write them: Unix time in any unit, as a number or as text."""

import re
from decimal import Decimal
from functools import lru_cache

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_UNIT_WORDS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("ms", "msec", "millis", "milliseconds"), "ms"),
    **dict.fromkeys(("us", "µs", "usec", "micros", "microseconds"), "us"),
    **dict.fromkeys(("ns", "nsec", "nanos", "nanoseconds"), "ns"),
}
# From 2001 to 2200 the units cannot be confused, and dates in digits (20251120, 202511201500) are no moments.
_FROM_S, _UNTIL_S = 10**9, 7_258_118_400

_WORD_BREAK = re.compile(r"[\W_]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_TIME_WORD = re.compile(
    r"at|ts|date|when|expiry|expires|expiration|deadline|since|until|created|updated|modified"
    r"|\w*timestamp|(?!uptime|downtime|runtime|lifetime|overtime|realtime|halftime)\w*time"
)
_CLOCK_WORDS = frozenset({"utc", "gmt", "unix", "epoch", "local"})  # `created_at_utc`
_DURATIONS = frozenset(
    {"response", "elapsed", "process", "processing", "wait", "waiting", "up", "down", "total"}
)

_EPOCH = re.compile(r"\d{10,19}(\.\d{1,9})?")
_NO_TIME = re.compile(
    r"(?i:[+-]?0*(\.0*)?|-\d+(\.\d+)?|null|nil|none|nat|nan|undefined|invalid date"
    r"|(0000-00-00|0001-01-01|9999-12-31).*|1970-01-01[T ]00:00(:00(\.0+)?)?( ?Z|[+-]00:?00| UTC)?"
    r"|0?1/0?1/0001.*)"
)
# "Never", as the largest value of a type or of a calendar.
_NEVER = frozenset(
    {2**63 - 1, 2**64 - 1, 2**53 - 1, 253_402_300_799, 253_402_300_799_000, 253_402_300_799_999}
)


@lru_cache(maxsize=4096)
def time_unit(name: str) -> str | None:
    """Return the unit that the name of a time states ("" for none), or None if it does not name a time.

    Example: `created_at` -> "", `updateTimeMs` -> "ms", `response_time` -> None
    """
    words = [word.lower() for word in _WORD_BREAK.split(name[:100]) if word]
    unit = _UNIT_WORDS.get(words[-1], "") if len(words) > 1 else ""
    words = words[:-1] if unit else words
    while len(words) > 1 and words[-1] in _CLOCK_WORDS:
        words.pop()
    if not words or not _TIME_WORD.fullmatch(words[-1]):
        return None
    is_duration = words[-1] == "time" and len(words) > 1 and words[-2] in _DURATIONS
    return None if is_duration else unit


def unix_ms(value: object, unit: str = "") -> int | None:
    """Return the Unix milliseconds of a number or text of digits; None if it is no moment.

    The unit, where none is given, is that by which it lies between 2001 and 2200.
    """
    text = str(value) if isinstance(value, int | str) else f"{value:f}" if isinstance(value, float) else ""
    if isinstance(value, bool) or not text.isascii() or not _EPOCH.fullmatch(text):
        return None
    count = Decimal(text)
    for name in (unit,) if unit else _PER_SECOND:
        if _FROM_S <= count / _PER_SECOND[name] < _UNTIL_S:
            return int(count * 1000 / _PER_SECOND[name])
    return None


def is_no_time(value: object) -> bool:
    """Return whether this value of a time means that there is none: 0, -1, 0001-01-01, the largest number."""
    if value is None or isinstance(value, bool):
        return value is None
    if isinstance(value, str):
        return _NO_TIME.fullmatch(value.strip()) is not None or (
            value.isascii() and value.isdigit() and len(value) < 25 and int(value) in _NEVER
        )
    return isinstance(value, int | float) and (value <= 0 or value in _NEVER)
