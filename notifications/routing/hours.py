"""Quiet hours and send windows on a person's clock, as moments. Pure.

On the nights when the clock changes: a span begins at the first and ends at the last occurrence of a time
that exists twice; a time that does not exist is the moment at which the clock is put forward.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from notifications.states import HoldReason
from notifications.wishes import Span, Wishes

_DAY = timedelta(days=1)
_AHEAD_DAYS = 8  # the same weekday comes again within these
_AHEAD = _AHEAD_DAYS * _DAY
_Moments = tuple[datetime, datetime]


def closed(wishes: Wishes, time_zone: str, now: datetime) -> HoldReason | None:
    """Return why nothing may be sent now, or None."""
    if not wishes.quiet and not wishes.windows:
        return None
    zone = zone_of(time_zone)
    local = now.astimezone(zone)
    if wishes.quiet and _is_inside(wishes.quiet, zone, local):
        return HoldReason.QUIET_HOURS
    if wishes.windows and not _is_inside(wishes.windows, zone, local):
        return HoldReason.SEND_WINDOW
    return None


def opens_at(wishes: Wishes, time_zone: str, now: datetime) -> datetime | None:
    """Return the first moment from `now` on at which something may be sent; None: there is none in a week."""
    zone, at = zone_of(time_zone), now
    latest = now + _AHEAD
    while at <= latest:
        if quiet := _around(wishes.quiet, zone, at):
            at = quiet[1]
        elif not wishes.windows or _is_inside(wishes.windows, zone, at.astimezone(zone)):
            return at
        elif (later := _next_start(wishes.windows, zone, at)) is None:
            return None
        else:
            at = later
    return None


def next_time(times: Sequence[time], weekdays: Collection[int], time_zone: str, now: datetime) -> datetime:
    """Return the next moment after `now` at which the clock shows one of these times, on one of these days.

    A time that exists twice counts once, at its first occurrence.
    """
    zone = zone_of(time_zone)
    today = now.astimezone(zone).date()
    days = [today + number * _DAY for number in range(-1, _AHEAD_DAYS + 1)]
    moments = (
        _instants(datetime.combine(day, at), zone)[0]
        for day in days
        if day.weekday() in weekdays
        for at in times
    )
    return min(moment for moment in moments if moment > now)


@lru_cache(maxsize=1024)
def zone_of(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


@lru_cache(maxsize=1024)
def _changes_around(zone: tzinfo, day: date) -> bool:
    before, after = (datetime.combine(day + days * _DAY, time(), zone) for days in (-1, 2))
    return before.utcoffset() != after.utcoffset()


def _is_inside(spans: Sequence[Span], zone: tzinfo, local: datetime) -> bool:
    """Tell whether a moment is in one of these spans; what the clock shows says so, unless it changes."""
    if _changes_around(zone, local.date()):
        return _around(spans, zone, local.astimezone(UTC)) is not None
    weekday, clock = local.weekday(), local.time()
    for span in spans:
        if span.starts < span.ends:
            if span.starts <= clock < span.ends and weekday in span.weekdays:
                return True
        elif clock >= span.starts:
            if weekday in span.weekdays:
                return True
        elif clock < span.ends and (weekday - 1) % 7 in span.weekdays:
            return True
    return False


def _around(spans: Sequence[Span], zone: tzinfo, now: datetime) -> _Moments | None:
    """Return the beginning and the end of a span that `now` lies in. It began today or yesterday."""
    if not spans:
        return None
    today = now.astimezone(zone).date()
    for day in (today - _DAY, today):
        weekday = day.weekday()
        for span in spans:
            if weekday in span.weekdays:
                moments = _moments(zone, day, span.starts, span.ends)
                if moments[0] <= now < moments[1]:
                    return moments
    return None


def _next_start(spans: Sequence[Span], zone: tzinfo, now: datetime) -> datetime | None:
    today = now.astimezone(zone).date()
    days = [today + number * _DAY for number in range(_AHEAD_DAYS + 1)]
    found = (
        _moments(zone, day, span.starts, span.ends)
        for day in days
        for span in spans
        if day.weekday() in span.weekdays
    )
    return min((start for start, end in found if now < start < end), default=None)


@lru_cache(maxsize=4096)
def _moments(zone: tzinfo, day: date, starts: time, ends: time) -> _Moments:
    start = datetime.combine(day, starts)
    end = datetime.combine(day if ends > starts else day + _DAY, ends)
    return _instants(start, zone)[0], _instants(end, zone)[1]


def _instants(local: datetime, zone: tzinfo) -> _Moments:
    """Return the first and the last moment at which the clock shows this time; mostly they are the same."""
    early, late = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if early <= late:
        return early, late
    change = _change(zone, late, early)  # the clock is put forward over this time
    return change, change


def _change(zone: tzinfo, before: datetime, after: datetime) -> datetime:
    """Return the moment, to the second, at which the offset from UTC changes between these two."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)
