"""Times, numbers and names as people read them."""

from datetime import UTC

import pytest

from notifications.events import Content
from notifications.rendering.payload import local_time, sentence
from notifications.rendering.render import render
from notifications.rendering.wording import number, percent, signed
from notifications.states import Channel, Priority
from tests.notifications.rendering.rendered_messages import rendered


@pytest.mark.parametrize(
    ("time_zone", "shown"),
    [
        ("Europe/Berlin", "20 Nov 2025, 16:00:00 CET"),
        ("America/Sao_Paulo", "20 Nov 2025, 12:00:00 UTC-03"),
        ("UTC", "20 Nov 2025, 15:00:00 UTC"),
        ("Mars/Olympus", "20 Nov 2025, 15:00:00 UTC"),
        ("", "20 Nov 2025, 15:00:00 UTC"),
        ("../../etc/passwd", "20 Nov 2025, 15:00:00 UTC"),
        ("/etc/passwd", "20 Nov 2025, 15:00:00 UTC"),
        ("America", "20 Nov 2025, 15:00:00 UTC"),
        ("a\x00b", "20 Nov 2025, 15:00:00 UTC"),
    ],
)
def test_times_are_those_of_the_person(time_zone: str, shown: str) -> None:
    assert rendered(channel=Channel.TELEGRAM, time_zone=time_zone).text.endswith(f"\n\n{shown}")


@pytest.mark.parametrize("timestamp_ms", [-1, 0, 10**30])
def test_a_time_that_cannot_be_meant_is_left_out(timestamp_ms: int) -> None:
    content = Content("e1", "ORDER_FILLED", Priority.NORMAL, timestamp_ms, {}, "UTC")
    message = render(content, Channel.TELEGRAM, key="k")

    assert message.text == "Order filled"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("64250.00", "64,250.00"),
        ("-1234567.8900", "-1,234,567.8900"),
        ("0.000000012345678901234567890", "0.000000012345678901234567890"),
        ("123456789012345678901234.1", "123,456,789,012,345,678,901,234.1"),
        ("1e-07", "0.0000001"),
        ("1E5", "100,000"),
        ("1e999999999", "1e999999999"),
        ("1" * 5_000, "1" * 5_000),
        ("\u0663\u0664\u0665\u0666", "\u0663\u0664\u0665\u0666"),
        ("n/a", "n/a"),
        ("", ""),
    ],
)
def test_numbers_are_grouped_digit_for_digit(value: str, shown: str) -> None:
    assert number(value) == shown


def test_signs_and_percentages() -> None:
    assert [signed(value) for value in ("12340.5", "-3", "0", "+2", "", "x")] == [
        "+12,340.5",
        "-3",
        "0",
        "+2",
        "",
        "x",
    ]
    assert [percent(value) for value in ("0.583", "1", "0.12345", "-0.0", "9" * 40, "", "x")] == [
        "58.3%",
        "100%",
        "12.34%",
        "0%",
        "9" * 40,
        "",
        "x",
    ]


def test_numbers_that_are_json_numbers_read_alike() -> None:
    message = rendered(payload={"symbol": "X", "side": "buy", "quantity": 1200, "fill_price": 0.0000001})

    assert message.title == "BUY 1,200 X filled at 0.0000001"


def test_a_sentence_is_made_of_any_spelling() -> None:
    assert [sentence(name) for name in ("fill_price", "FILL_PRICE", "fillPrice", "strategy_id")] == [
        "Fill price",
        "Fill price",
        "Fill price",
        "Strategy ID",
    ]


def test_a_time_near_the_end_of_the_calendar_is_left_out() -> None:
    assert local_time(253_402_300_799_000, UTC) == ""
