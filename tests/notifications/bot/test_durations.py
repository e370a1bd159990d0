"""Times as people write them, on their own clock, also on the nights of daylight saving."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from notifications.bot.durations import Silence, parse

ZURICH = ZoneInfo("Europe/Zurich")
NOON = datetime(2026, 11, 28, 11, 0, tzinfo=UTC)  # 12:00 in Zurich


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("2h", 120), ("90m", 90), ("3d", 4320), ("for 2 hours", 120), ("1 day", 1440), (" 30 MIN ", 30)],
)
def test_a_length(text, minutes) -> None:
    assert parse(text, now=NOON, zone=ZURICH) == Silence(NOON + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("until 14:30", datetime(2026, 11, 28, 13, 30, tzinfo=UTC)),
        ("08:00", datetime(2026, 11, 29, 7, 0, tzinfo=UTC)),
        ("until 12.00", datetime(2026, 11, 29, 11, 0, tzinfo=UTC)),  # now is not later than now
    ],
)
def test_a_time_of_the_day_is_the_next_one(text, until) -> None:
    assert parse(text, now=NOON, zone=ZURICH) == Silence(until)


def test_off() -> None:
    assert parse("off", now=NOON, zone=ZURICH) == Silence(None)


@pytest.mark.parametrize("text", ["", "soon", "0m", "24:00", "12:60", "1e3h", "9999d", "h", "٢h", "-5m"])
def test_anything_else_is_not_understood(text) -> None:
    assert parse(text, now=NOON, zone=ZURICH) is None


def test_a_time_that_does_not_exist_is_when_the_clock_jumps() -> None:
    evening = datetime(2026, 3, 28, 20, 0, tzinfo=UTC)  # 02:30 of the next morning is left out
    assert parse("02:30", now=evening, zone=ZURICH) == Silence(datetime(2026, 3, 29, 1, 30, tzinfo=UTC))


@pytest.mark.parametrize(("hour", "until_hour"), [(20, 24), (24.75, 25)])
def test_of_a_time_that_comes_twice_it_is_the_next_one(hour, until_hour) -> None:
    start = datetime(2026, 10, 24, 0, 0, tzinfo=UTC)  # at 03:00 it is 02:00 again
    found = parse("02:30", now=start + timedelta(hours=hour), zone=ZURICH)
    assert found == Silence(start + timedelta(hours=until_hour, minutes=30))
