"""Numbers, money and moments as people in other places write them."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.rendering.conventions import numbers, plurals
from notifications.rendering.conventions.dates import date_of, local_time
from notifications.rendering.locales import Using, locale_in
from notifications.rendering.wording import in_percent, money, number, percent, plural, signed

LOCALES = ["en", "en-US", "en-IN", "de", "de-CH", "de-AT", "zh", "fr", "es", "sv", "pt-BR", "pl", "hi"]


def using(locale: str) -> Using:
    return Using(locale_in(locale.partition("-")[0], locale))


@pytest.mark.parametrize(
    ("locale", "shown"),
    [
        ("en", "-1,234,567.8900"),
        ("de", "-1.234.567,8900"),
        ("zh", "-1,234,567.8900"),
        ("en-IN", "-12,34,567.8900"),
        ("fr", "-1\u202f234\u202f567,8900"),
        ("sv", "\u22121\xa0234\xa0567,8900"),
    ],
)
def test_a_number_has_the_signs_of_its_place(locale: str, shown: str) -> None:
    with using(locale):
        assert number("-1234567.8900") == shown


def test_the_separator_of_switzerland_is_that_of_cldr() -> None:
    with using("de-CH"):
        own = numbers.symbols(locale_in("de", "de-CH"))
        assert number("64250.00") == f"64{own.group}250.00"
        assert own.group in {"'", "’"}  # which of them depends on the version of CLDR


@given(
    text=st.from_regex(r"[+-]?(0|[1-9][0-9]{0,39})(\.[0-9]{1,40})?", fullmatch=True),
    locale=st.sampled_from(LOCALES),
)
def test_the_digits_of_an_amount_are_those_that_were_sent(text: str, locale: str) -> None:
    own = numbers.symbols(locale_in(locale.partition("-")[0], locale))
    with using(locale):
        shown = number(text)
        read = shown.replace(own.group, "").replace(own.decimal, ".").replace(own.minus, "-")
        assert read.replace(own.plus, "+") == text
        assert re.sub(r"\D", "", signed(text)) == re.sub(r"\D", "", text)


@pytest.mark.parametrize("text", ["004512", "1_000", "n/a", "", "٣٤٥", "1.2.3", "1,5", "1" * 50])
@pytest.mark.parametrize("locale", LOCALES)
def test_what_is_no_amount_is_left_alone(locale: str, text: str) -> None:
    with using(locale):
        assert number(text) == text


@pytest.mark.parametrize(
    ("locale", "shown"),
    [("en", "58.3% -1.5%"), ("de", "58,3\xa0% -1.5\xa0%"), ("de-CH", "58.3% -1.5%"), ("zh", "58.3% -1.5%")],
)
def test_a_percent_sign_is_in_its_place(locale: str, shown: str) -> None:
    with using(locale):
        assert f"{percent('0.583')} {in_percent('-1.5')}" == shown
        assert (percent("x"), in_percent("")) == ("x", "")


@pytest.mark.parametrize(
    ("locale", "currency", "shown"),
    [
        ("en", "USD", "1,234.50 USD"),
        ("en-US", "USD", "$1,234.50"),
        ("en-US", "USDT", "1,234.50 USDT"),
        ("de", "EUR", "1.234,50\xa0€"),
        ("de", "BTC", "1.234,50 BTC"),
        ("de-CH", "CHF", "CHF\xa01'234.50"),
        ("zh", "CNY", "¥1,234.50"),
        ("zh", "USDT", "1,234.50 USDT"),
        ("de", "", "1.234,50"),
    ],
)
def test_a_currency_is_in_its_place(locale: str, currency: str, shown: str) -> None:
    with using(locale):
        assert money("1234.50", currency).replace("’", "'") == shown
        assert money("-1", currency).startswith(numbers.symbols(locale_in(locale[:2], locale)).minus)
        assert money("", currency) == ""


@pytest.mark.parametrize(
    ("locale", "zone", "at", "shown"),
    [
        ("de", "Europe/Berlin", (2025, 3, 30, 0, 59), "30.03.2025, 01:59:00 MEZ"),
        ("de", "Europe/Berlin", (2025, 3, 30, 1, 0), "30.03.2025, 03:00:00 MESZ"),
        ("de", "Europe/Berlin", (2025, 10, 26, 0, 30), "26.10.2025, 02:30:00 MESZ"),
        ("de", "Europe/Berlin", (2025, 10, 26, 1, 30), "26.10.2025, 02:30:00 MEZ"),
        ("de-CH", "Europe/Zurich", (2025, 10, 26, 1, 30), "26.10.2025, 02:30:00 MEZ"),
        ("de", "America/New_York", (2025, 11, 2, 5, 30), "02.11.2025, 01:30:00 GMT-4"),
        ("de", "America/New_York", (2025, 11, 2, 6, 30), "02.11.2025, 01:30:00 GMT-5"),
        ("de", "Asia/Kolkata", (2025, 11, 2, 6, 30), "02.11.2025, 12:00:00 GMT+5:30"),
        ("de", "UTC", (2025, 1, 1, 0, 0), "01.01.2025, 00:00:00 UTC"),
        ("zh", "Asia/Shanghai", (2025, 11, 20, 15, 0), "2025年11月20日 23:00:00 GMT+8"),
        ("zh", "Europe/London", (2025, 3, 30, 0, 59), "2025年3月30日 00:59:00 GMT"),
        ("zh", "Europe/London", (2025, 3, 30, 1, 0), "2025年3月30日 02:00:00 GMT+1"),
        ("en", "Europe/Berlin", (2025, 10, 26, 1, 30), "26 Oct 2025, 02:30:00 CET"),
        ("en-GB", "Europe/Berlin", (2025, 10, 26, 0, 30), "26 Oct 2025, 02:30:00 CEST"),
        ("en-US", "America/New_York", (2025, 11, 2, 6, 30), "Nov 2, 2025, 1:30:00\u202fAM EST"),
        ("fr", "Europe/Paris", (2025, 8, 1, 12, 0), "1 août 2025, 14:00:00 UTC+2"),
    ],
)
def test_a_moment_is_that_of_the_persons_zone_on_every_night(
    locale: str, zone: str, at: tuple[int, ...], shown: str
) -> None:
    moment = datetime(*at, tzinfo=UTC)  # type: ignore[arg-type, misc]
    with using(locale):
        text = local_time(round(moment.timestamp() * 1000), ZoneInfo(zone))
        assert text == shown
        date = date_of(text)
        assert text.startswith(date)
        assert ":" not in date
        assert len(date) > 8


@pytest.mark.parametrize(
    ("locale", "counts"),
    [
        ("de", {"1": "1 Trade", "2": "2 Trades", "1.5": "1,5 Trades", "0": "0 Trades", "x": ""}),
        ("zh", {"1": "1 Trade", "2": "2 Trade"}),
    ],
)
def test_the_plural_of_a_language_with_two_forms_or_one(locale: str, counts: dict[str, str]) -> None:
    with using(locale):
        assert {count: plural(count, "%s Trade|%s Trades") for count in counts} == counts


def test_the_plural_of_a_language_with_more_forms() -> None:
    forms = ["%s сделка", "%s сделки", "%s сделок", "%s сделки"]  # one, few, many, other
    with using("ru"):
        shown = [plurals.form(Decimal(count), forms)[3:] for count in ("1", "2", "5", "21", "1.5")]
    assert shown == ["сделка", "сделки", "сделок", "сделка", "сделки"]
