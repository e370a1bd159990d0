"""Quiet hours and send windows on a person's clock, as moments. Pure.

On the nights when the clock changes: a span begins at the first and ends at the last occurrence of a time
that exists twice; a time that does not exist is the moment at which the clock is put forward.
"""

from bisect import bisect_right
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from notifications.states import HoldReason
from notifications.wishes import Span, Wishes

_DAY = timedelta(days=1)
_AHEAD_DAYS = 15  # the same weekday comes again within these, also if its hour is skipped once in spring
_AHEAD = _AHEAD_DAYS * _DAY
_Moments = tuple[datetime, datetime]
Spans = tuple[Span, ...]


class Stretch(NamedTuple):
    """A time in which nothing may be sent, or in which all may. It lasts until the next one starts."""

    starts: datetime
    closed: HoldReason | None
    opens_at: datetime | None  # the end of what is closed, if there is one within two weeks


_starts = itemgetter(0)
_OPEN = Stretch(datetime.min.replace(tzinfo=UTC), None, None)


def stretch(wishes: Wishes, time_zone: str, now: datetime) -> Stretch:
    """Return the stretch that `now` lies in."""
    if not wishes.quiet and not wishes.windows:
        return _OPEN
    kept = _stretches(wishes.quiet, wishes.windows, time_zone, now.astimezone(UTC).toordinal())
    return kept[bisect_right(kept, now, key=_starts) - 1]


def opens_at(wishes: Wishes, time_zone: str, now: datetime) -> datetime | None:
    """Return the first moment from `now` on at which something may be sent; None: not in two weeks."""
    found = stretch(wishes, time_zone, now)
    return now if found.closed is None else found.opens_at


@lru_cache(maxsize=4096)
def _stretches(quiet: Spans, windows: Spans, time_zone: str, day: int) -> tuple[Stretch, ...]:
    """Return the stretches of a day, midnight to midnight UTC: kept, as each of its events asks for them."""
    zone, midnight = zone_of(time_zone), datetime.fromordinal(day).replace(tzinfo=UTC)
    today = midnight.date()
    changes = {
        moment
        for date_ in (today - 2 * _DAY, today - _DAY, today, today + _DAY)
        for span in (*quiet, *windows)
        if date_.weekday() in span.weekdays
        for moment in _moments(zone, date_, span.starts, span.ends)
        if midnight < moment < midnight + _DAY
    }
    return tuple(
        Stretch(at, reason, _opens_at(quiet, windows, zone, at) if reason else None)
        for at in (midnight, *sorted(changes))
        for reason in (_closed(quiet, windows, zone, at),)
    )


def _closed(quiet: Spans, windows: Spans, zone: tzinfo, now: datetime) -> HoldReason | None:
    if _around(quiet, zone, now):
        return HoldReason.QUIET_HOURS
    return HoldReason.SEND_WINDOW if windows and not _around(windows, zone, now) else None


def _opens_at(quiet: Spans, windows: Spans, zone: tzinfo, now: datetime) -> datetime | None:
    at = now
    while at <= now + _AHEAD:
        if span := _around(quiet, zone, at):
            at = span[1]
        elif not windows or _around(windows, zone, at):
            return at
        elif (later := _next_start(windows, zone, at)) is None:
            return None
        else:
            at = later
    return None


def next_time(times: tuple[time, ...], weekdays: frozenset[int], time_zone: str, now: datetime) -> datetime:
    """Return the next moment after `now` at which the clock shows one of these times, on one of these days.

    A time that exists twice counts once, at its first occurrence.
    """
    for moment in _times(times, weekdays, time_zone, now.astimezone(UTC).toordinal()):
        if moment > now:
            return moment
    raise ValueError("no time, or no weekday")


@lru_cache(maxsize=4096)
def _times(
    times: tuple[time, ...], weekdays: frozenset[int], time_zone: str, day: int
) -> tuple[datetime, ...]:
    """Return when the clock shows these times, from midnight UTC of a day on, for two weeks."""
    zone, midnight = zone_of(time_zone), datetime.fromordinal(day).replace(tzinfo=UTC)
    dates = [midnight.date() + number * _DAY for number in range(-1, _AHEAD_DAYS + 2)]
    moments = (
        _instants(datetime.combine(date_, at), zone)[0]
        for date_ in dates
        if date_.weekday() in weekdays
        for at in times
    )
    return tuple(sorted(moment for moment in moments if moment >= midnight))


@lru_cache(maxsize=1024)
def zone_of(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def _around(spans: Spans, zone: tzinfo, now: datetime) -> _Moments | None:
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


def _next_start(spans: Spans, zone: tzinfo, now: datetime) -> datetime | None:
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
