"""Moments as a locale writes them, by the patterns of CLDR."""

from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Literal, NamedTuple

from babel.dates import DateTimeFormat, get_timezone_name, parse_pattern

from notifications.rendering.locales import Locale, current
from users.locales import DEFAULT

_YEAR_1973_MS, _YEAR_2200_MS = 10**11, 7_258_118_400_000
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
# The fields of CLDR that are digits: https://unicode.org/reports/tr35/tr35-dates.html#Date_Format_Patterns
_DIGITS = {
    "y": "{0.year}",
    "M": "{0.month}",
    "MM": "{0.month:02}",
    "d": "{0.day}",
    "dd": "{0.day:02}",
    "H": "{0.hour}",
    "HH": "{0.hour:02}",
    "mm": "{0.minute:02}",
    "ss": "{0.second:02}",
}


class _Pattern(NamedTuple):
    date: str
    time: str
    glue: str  # between the two


def local_time(timestamp_ms: int, zone: tzinfo) -> str:
    """Show Unix milliseconds as `14 Nov 2023, 17:13:20 EST`; "" for a time outside 1973 to 2200.

    This is the form of `en`, which no reader takes for another day. All other locales have CLDR's: `en-US`
    shows `Nov 14, 2023, 5:13:20 PM EST`, `de` shows `14.11.2023, 23:13:20 MEZ`.
    """
    if not _YEAR_1973_MS < timestamp_ms < _YEAR_2200_MS:
        return ""
    at, locale = datetime.fromtimestamp(timestamp_ms // 1000, zone), current()
    if locale.tag == DEFAULT:
        return f"{at.day} {_MONTHS[at.month - 1]} {at.year}, {at:%H:%M:%S} {_abbreviation(at)}".rstrip()
    pattern = _pattern(locale)
    values = _Fields(at, locale)
    date, time = pattern.date % values, pattern.time % values
    return f"{date}{pattern.glue}{time} {_zone_name(at, locale)}".rstrip()


def date_of(shown: str) -> str:
    """Return the date of a time that `local_time` has shown."""
    locale = current()
    if locale.tag == DEFAULT:
        return shown.partition(",")[0]
    pattern = _pattern(locale)
    parts = shown.split(pattern.glue)
    return pattern.glue.join(parts[: pattern.date.count(pattern.glue) + 1])


@lru_cache(maxsize=256)
def _pattern(locale: Locale) -> _Pattern:
    cldr = locale.cldr
    glue = str(cldr.datetime_formats["medium"]).replace("{1}", "").replace("{0}", "")
    date, time = (parse_pattern(str(forms["medium"])) for forms in (cldr.date_formats, cldr.time_formats))
    return _Pattern(str(date.format), str(time.format), glue)


class _Fields(dict[str, str]):
    """The fields of a pattern, such as `dd`. Babel's own take ten times as long for the digits."""

    def __init__(self, at: datetime, locale: Locale) -> None:
        super().__init__()
        self._at, self._locale = at, locale

    def __missing__(self, name: str) -> str:
        digits = _DIGITS.get(name)
        if digits is not None:
            return digits.format(self._at)
        return str(DateTimeFormat(self._at, self._locale.cldr)[name])


def _zone_name(at: datetime, locale: Locale) -> str:
    """Name the zone as people there do (`MEZ`), else by its distance (`GMT+8`)."""
    if locale.is_english:
        return _abbreviation(at)
    assert at.tzinfo is not None
    return _name_in(locale, at.tzinfo, summer=bool(at.dst())) or _distance(at, locale)


@lru_cache(maxsize=2048)
def _name_in(locale: Locale, zone: tzinfo, *, summer: bool) -> str:
    """Return a zone's abbreviation in a language; "" if people there have none for it."""
    variant: Literal["daylight", "standard"] = "daylight" if summer else "standard"
    name = get_timezone_name(zone, "short", locale=locale.cldr, zone_variant=variant)
    return name if name.isalpha() and name.isupper() else ""  # "British time" is no abbreviation


def _distance(at: datetime, locale: Locale) -> str:
    offset = at.utcoffset() or timedelta()
    hours, minutes = divmod(abs(round(offset.total_seconds())) // 60, 60)
    sign = "-" if offset < timedelta() else "+"
    distance = f"{sign}{hours}:{minutes:02}" if minutes else f"{sign}{hours}" if hours else ""
    return str(locale.cldr.zone_formats["gmt"]) % distance


def _abbreviation(at: datetime) -> str:
    name = at.tzname() or ""
    return f"UTC{name}" if name[:1] in "+-" else name  # zones such as America/Sao_Paulo have no letters
