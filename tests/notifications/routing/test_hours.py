"""Quiet hours and send windows on the nights when clocks change, against a clock that is read all night."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifications.routing.hours import next_time, opens_at, stretch
from notifications.wishes import Span, Wishes
from tests.notifications.routing.clocks import (
    CLOCKS,
    LORD_HOWE,
    NEW_YORK,
    NIGHTS,
    QUARTER,
    SPANS,
    TIMES,
    ZURICH,
    quarters_of,
)

EVERY_DAY = frozenset(range(7))


def span(starts: str, ends: str, weekdays=EVERY_DAY) -> Span:
    return Span(frozenset(weekdays), time.fromisoformat(starts), time.fromisoformat(ends))


def at(zone: str, local: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("zone", "quiet", "now", "until", "fold"),
    [
        (ZURICH, ("22:00", "07:00"), "2026-06-01 23:30", "2026-06-02 07:00", 0),
        (ZURICH, ("22:00", "07:00"), "2026-06-02 06:59", "2026-06-02 07:00", 0),
        (ZURICH, ("22:00", "07:00"), "2026-06-02 07:00", "2026-06-02 07:00", 0),
        # 02:00 becomes 03:00: that night is an hour shorter
        (ZURICH, ("22:00", "07:00"), "2026-03-28 23:00", "2026-03-29 07:00", 0),
        (ZURICH, ("22:00", "02:30"), "2026-03-28 23:00", "2026-03-29 03:00", 0),  # there is no 02:30
        (ZURICH, ("02:30", "07:00"), "2026-03-29 01:59", "2026-03-29 01:59", 0),
        (ZURICH, ("02:30", "07:00"), "2026-03-29 03:00", "2026-03-29 07:00", 0),
        # 03:00 becomes 02:00: 02:30 comes twice
        (ZURICH, ("22:00", "02:30"), "2026-10-24 23:00", "2026-10-25 02:30", 1),
        (ZURICH, ("22:00", "07:00"), "2026-10-24 23:00", "2026-10-25 07:00", 0),
        (NEW_YORK, ("22:00", "02:30"), "2026-03-07 23:00", "2026-03-08 03:00", 0),
        (NEW_YORK, ("22:00", "01:30"), "2026-10-31 23:00", "2026-11-01 01:30", 1),
        # half an hour only: 02:00 becomes 02:30 in October, and 01:30 in April
        (LORD_HOWE, ("22:00", "02:15"), "2026-10-03 23:00", "2026-10-04 02:30", 0),
        (LORD_HOWE, ("22:00", "01:45"), "2026-04-04 23:00", "2026-04-05 01:45", 1),
    ],
)
def test_quiet_hours_end_when_the_persons_clock_says_so(zone, quiet, now, until, fold) -> None:
    wishes = Wishes(quiet=(span(*quiet),))
    assert opens_at(wishes, zone, at(zone, now)) == at(zone, until, fold)


def test_both_occurrences_of_a_repeated_hour_are_quiet() -> None:
    wishes = Wishes(quiet=(span("22:00", "02:30"),))
    for local, fold in (("2026-10-25 02:10", 0), ("2026-10-25 02:50", 0), ("2026-10-25 02:10", 1)):
        assert stretch(wishes, ZURICH, at(ZURICH, local, fold)).closed == "quiet_hours"
    assert stretch(wishes, ZURICH, at(ZURICH, "2026-10-25 02:30", 1)).closed is None


def test_a_window_of_weekdays_opens_on_monday_after_a_friday_evening() -> None:
    office = Wishes(windows=(span("09:00", "17:00", range(5)),))
    friday = at(ZURICH, "2026-03-27 17:00")
    assert stretch(office, ZURICH, friday).closed == "send_window"
    assert opens_at(office, ZURICH, friday) == at(ZURICH, "2026-03-30 09:00")


def test_a_weekly_window_in_the_hour_that_is_skipped_opens_a_week_later() -> None:
    wishes = Wishes(windows=(span("02:15", "02:45", [6]),))  # there is no 02:15 on March 29
    after = at(ZURICH, "2026-03-22 03:00")
    assert opens_at(wishes, ZURICH, after) == at(ZURICH, "2026-04-05 02:15")


def test_quiet_hours_inside_a_window_come_first() -> None:
    wishes = Wishes(quiet=(span("08:00", "10:00"),), windows=(span("09:00", "17:00"),))
    assert opens_at(wishes, ZURICH, at(ZURICH, "2026-06-01 07:00")) == at(ZURICH, "2026-06-01 10:00")


def test_quiet_hours_of_one_day_and_the_next_are_one_night() -> None:
    wishes = Wishes(quiet=(span("22:00", "00:00", [0]), span("00:00", "06:30", [1])))
    assert opens_at(wishes, ZURICH, at(ZURICH, "2026-06-01 22:30")) == at(ZURICH, "2026-06-02 06:30")


def test_a_whole_quiet_day_ends_at_midnight() -> None:
    sunday = Wishes(quiet=(span("00:00", "00:00", [6]),))
    assert opens_at(sunday, ZURICH, at(ZURICH, "2026-06-07 12:00")) == at(ZURICH, "2026-06-08 00:00")


def test_wishes_that_leave_no_time_have_no_release() -> None:
    never = Wishes(quiet=(span("00:00", "00:00"),))
    assert opens_at(never, ZURICH, at(ZURICH, "2026-06-01 12:00")) is None
    shut = Wishes(windows=(span("09:00", "10:00"),), quiet=(span("08:00", "11:00"),))
    assert opens_at(shut, ZURICH, at(ZURICH, "2026-06-01 12:00")) is None


@pytest.mark.parametrize("night", NIGHTS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(quiet=SPANS, windows=SPANS, offset=st.integers(0, 64))
def test_whatever_the_clock_does_sending_starts_again_at_the_right_minute(
    night, quiet, windows, offset
) -> None:
    zone, evening = night
    now, wishes = evening + offset * QUARTER, Wishes(quiet=quiet, windows=windows)
    silent, open_ = (quarters_of(spans, CLOCKS[night]) for spans in (quiet, windows))
    today = [now + k * QUARTER for k in range(96)]
    expected = next((one for one in today if one not in silent and (not windows or one in open_)), None)
    found = opens_at(wishes, zone, now)
    assert (stretch(wishes, zone, now).closed is None) is (found == now)
    if expected is None:
        assert found is None or found > today[-1]
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("zone", "times", "days", "now", "due"),
    [
        (ZURICH, "08:00 18:00", EVERY_DAY, "2026-06-01 07:59", "2026-06-01 08:00"),
        (ZURICH, "08:00 18:00", EVERY_DAY, "2026-06-01 08:00", "2026-06-01 18:00"),
        (ZURICH, "08:00", EVERY_DAY, "2026-06-01 18:00", "2026-06-02 08:00"),
        (ZURICH, "08:00", {0}, "2026-06-01 08:00", "2026-06-08 08:00"),
        (ZURICH, "00:00", {1}, "2026-06-01 23:59", "2026-06-02 00:00"),
        (ZURICH, "08:00", EVERY_DAY, "2026-03-28 23:00", "2026-03-29 08:00"),
        (ZURICH, "02:30", EVERY_DAY, "2026-03-28 23:00", "2026-03-29 03:00"),  # there is no 02:30
        (ZURICH, "02:30", EVERY_DAY, "2026-10-24 23:00", "2026-10-25 02:30"),  # it comes twice: the first
        (ZURICH, "02:30", EVERY_DAY, "2026-10-25 02:30", "2026-10-26 02:30"),
        (NEW_YORK, "02:30", EVERY_DAY, "2026-03-07 23:00", "2026-03-08 03:00"),
        (NEW_YORK, "01:30", EVERY_DAY, "2026-10-31 23:00", "2026-11-01 01:30"),
        (LORD_HOWE, "02:15", EVERY_DAY, "2026-10-03 23:00", "2026-10-04 02:30"),
        (LORD_HOWE, "01:45", EVERY_DAY, "2026-04-04 23:00", "2026-04-05 01:45"),
    ],
)
def test_the_next_of_some_times_of_day(zone, times, days, now, due) -> None:
    found = next_time(tuple(map(time.fromisoformat, times.split())), frozenset(days), zone, at(zone, now))
    assert found == at(zone, due)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(NIGHTS), st.integers(0, 96), TIMES, st.frozensets(st.integers(0, 6), min_size=1))
def test_the_next_time_is_the_first_that_the_clock_shows(night, offset, wanted, days) -> None:
    now = night[1] + (offset - 48) * QUARTER
    found = next_time((wanted,), days, night[0], now)
    assert found > now
    shown = {}
    for moment, local in CLOCKS[night]:
        if local.time() == wanted and local.weekday() in days:
            shown.setdefault(local.date(), moment)  # not its second occurrence
    first = min((moment for moment in shown.values() if moment > now), default=None)
    day = found.astimezone(ZoneInfo(night[0])).date()
    assert found == first or first is None or (day not in shown and found < first), "or there is no such time"
