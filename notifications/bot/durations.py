"""How long a person wants silence: `2h`, `90m`, `3d`, `until 08:00`, `off`, as they write it."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

_FOR = re.compile(r"(?:for )?([0-9]{1,4}) ?(m|min|minutes?|h|hours?|d|days?)")
_UNTIL = re.compile(r"(?:until )?([01]?\d|2[0-3])[:.]([0-5]\d)")
_OFF = frozenset({"off", "stop", "end"})
_MINUTES = {"m": 1, "h": 60, "d": 24 * 60}
LONGEST = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Silence:
    """Until when; None ends it."""

    until: datetime | None


def parse(text: str, *, now: datetime, zone: tzinfo) -> Silence | None:
    """Return what the text asks for; None if it is not understood. "until 08:00" is on the person's clock.

    A time of the day that has passed is tomorrow's. On the night on which it does not exist (daylight saving)
    it is the moment to which the clock jumps; of a time that comes twice it is the first one to come.
    """
    words = " ".join(text.lower().split())
    if words in _OFF:
        return Silence(None)
    if found := _FOR.fullmatch(words):
        length = timedelta(minutes=int(found[1]) * _MINUTES[found[2][0]])
        return Silence(now + length) if timedelta(0) < length <= LONGEST else None
    if found := _UNTIL.fullmatch(words):
        return Silence(_next(int(found[1]), int(found[2]), now, zone))
    return None


def _next(hour: int, minute: int, now: datetime, zone: tzinfo) -> datetime:
    today = now.astimezone(zone)
    for days in (0, 1):
        day = today.date() + timedelta(days=days)
        for fold in (0, 1):
            at = datetime(day.year, day.month, day.day, hour, minute, fold=fold, tzinfo=zone)
            at = at.astimezone(now.tzinfo)
            if at > now:
                return at
    raise AssertionError("tomorrow's is later than now")
