"""What people read, on each channel, whatever a producer sends."""

import re
from collections.abc import Mapping
from datetime import UTC
from html import escape
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.render import MAX_TELEGRAM_UNITS, MAX_TITLE_CHARS, cut_html, cut_text, render
from notifications.samples import SAMPLES
from notifications.states import Channel, Priority
from notifications.transports.base import Message
from notifications.wording import local_time, number, percent, sentence, signed

NOTICE = "You may have received this already."
AT_MS = 1_763_650_800_000  # 20 Nov 2025, 15:00:00 UTC
SHOWN = [Channel.WEB, Channel.TELEGRAM, Channel.EMAIL]
EXTERNAL = [channel for channel in Channel if channel not in {Channel.WEB, Channel.ACTIVE_SESSION}]
MORE_TYPES: dict[str, dict[str, Any]] = {
    "BALANCE_UPDATED": {"asset": "BTC", "avail": "1.501000", "frozen": "0.000000"},
    "TRADE_EXECUTED": {"symbol": "BTC_USDT", "side": "BUY", "quantity": "0.001", "price": "85000.00"},
    "TRADING_SIGNAL": {"symbol": "BTC/USDT", "signal": "BUY", "confidence": 0.85},
    "RISK_ALERT": {"risk_type": "max_drawdown", "value": "0.12", "threshold": "0.1"},
    "PORTFOLIO_UPDATED": {"total_value": "123456.70", "currency": "USDT"},
    "MARKET_DATA_UPDATED": {"symbol": "BTC/USDT", "price": 45000, "volume": 100},
    "SYSTEM_HEALTH": {"service": "ingest", "status": "DEGRADED"},
}
INJECTIONS = [
    "{{ x }}",
    "{{ payload.symbol }}",
    "{% load static %}",
    "{% include 'layouts/email.html' %}",
    "{# note #}",
    "{{ 7|add:7 }}",
    "<script>alert(1)</script>",
    "<b>bold",
    "</b></i></pre>",
    "<a href='https://example.com'>x</a>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload="alert(1)">',
    "&amp;&lt;b&gt;",
    "&#60;b&#62;",
    "*_[`~|>#+-=.!",
    "[click](javascript:alert(1))",
    "javascript:alert(1)",
    "data:text/html;base64,PHNjcmlwdD4=",
    "<https://example.com|click>",
    "@everyone <@123> <!channel>",
    "tg://user?id=1",
    "%s %(x)s {0} ${x}",
    "BTC < 50 & ETH > 3",
    "'; DROP TABLE notifications_event; --",
]
LITERAL_FIELD = {
    "ORDER_FILLED": "symbol",
    "ALERT_TRIGGERED": "condition",
    "STRATEGY_LOG": "message",
    "norm.swap_demand": "memo",
}


def rendered(
    event_type: str = "ORDER_FILLED",
    payload: Mapping[str, Any] | None = None,
    channel: Channel = Channel.WEB,
    *,
    priority: Priority = Priority.NORMAL,
    time_zone: str = "America/New_York",
    possible_duplicate: bool = False,
) -> Message:
    return render(
        event_type=event_type,
        payload=SAMPLES[event_type] if payload is None else payload,
        channel=channel,
        priority=priority,
        timestamp_ms=AT_MS,
        time_zone=time_zone,
        key="key-1",
        possible_duplicate=possible_duplicate,
    )


class Markup(HTMLParser):
    """Reads markup; `problems` says what is not allowed or not balanced."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, markup: str, allowed: set[str] | None = None) -> None:
        super().__init__(convert_charrefs=True)
        self.allowed, self.stack, self.problems = allowed, list[str](), list[str]()
        self.text, self.links = "", list[str]()
        self.feed(markup)
        self.close()
        self.problems += [f"{tag} left open" for tag in self.stack]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [name for name, _ in attrs if name in {"href", "src"} or name.startswith("on")]
        if self.allowed is not None and (tag not in self.allowed or attrs):
            self.problems.append(f"{tag} {attrs} not allowed")
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.stack or self.stack.pop() != tag:
            self.problems.append(f"{tag} closed, not open")

    def handle_data(self, data: str) -> None:
        self.text += data


def telegram_markup(message: Message) -> Markup:
    return Markup(message.html, {"b", "i"})


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def assert_presentable(message: Message, channel: Channel) -> None:
    assert {type(part) for part in (message.title, message.text, message.html)} == {str}
    assert message.title
    assert len(message.title) <= MAX_TITLE_CHARS
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", message.title)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", message.text)
    assert bool(message.html) == (channel in {Channel.TELEGRAM, Channel.EMAIL})
    if channel == Channel.TELEGRAM:
        assert telegram_markup(message).problems == []
        assert units(message.text) <= MAX_TELEGRAM_UNITS
        assert units(message.html) <= MAX_TELEGRAM_UNITS
    if channel == Channel.EMAIL:
        markup = Markup(message.html)
        assert markup.problems == []
        assert markup.links == []


# What it says


@pytest.mark.parametrize(
    ("event_type", "title", "body"),
    [
        (
            "ORDER_FILLED",
            "BUY 0.5 BTC/USDT filled at 64,250.00",
            "Limit order at 64,300.00 · Binance · strategy grid-btc",
        ),
        (
            "ORDER_REJECTED",
            "Order rejected: BUY 0.5 BTC/USDT at 64,300.00",
            (
                "Insufficient balance: 32150.00 USDT needed, 18204.77 available\n"
                "Limit order · Binance · strategy grid-btc"
            ),
        ),
        ("ALERT_TRIGGERED", "Alert: BTC > 65000", "BTC/USDT reached 65,012.50"),
        (
            "POSITION_LIQUIDATED",
            "LONG 12.5 ETH/USDT liquidated at 2,436.10",
            (
                "Result: -7,178.75 · entry 3,010.40\n5x leverage · Bybit\n"
                "Check your margin and your open orders."
            ),
        ),
        (
            "BACKTEST_COMPLETED",
            "Backtest of Grid BTC: +12,340.55 in 1,218 trades",
            (
                "Win rate 58.37% · 711 won · 507 lost\nSharpe 1.84 · max drawdown 12.1%\n"
                "BTC/USDT · 1h · 31 Dec 2024 to 31 Oct 2025"
            ),
        ),
        (
            "STRATEGY_ERROR",
            "Strategy error: Grid BTC",
            "Exchange did not answer in time; trading is paused\nexchange binance, retries 3",
        ),
    ],
)
def test_important_events_read_like_this(event_type: str, title: str, body: str) -> None:
    message = rendered(event_type)

    assert (message.key, message.title, message.text, message.html) == ("key-1", title, body, "")


def test_a_critical_telegram_message_reads_like_this() -> None:
    message = rendered(channel=Channel.TELEGRAM, priority=Priority.CRITICAL, possible_duplicate=True)

    assert message.html == (
        "🚨 <b>BUY 0.5 BTC/USDT filled at 64,250.00</b>\n"
        f"<i>{NOTICE}</i>\n\n"
        "Limit order at 64,300.00 · Binance · strategy grid-btc\n\n"
        "<i>20 Nov 2025, 10:00:00 EST</i>"
    )
    assert message.text == re.sub("</?[bi]>", "", message.html)


def test_a_critical_email_reads_like_this() -> None:
    message = rendered("ALERT_TRIGGERED", channel=Channel.EMAIL, priority=Priority.CRITICAL)

    assert message.title == "Critical: Alert: BTC > 65000"
    assert message.text == (
        "CRITICAL: Alert: BTC > 65000\n\n"
        "BTC/USDT reached 65,012.50\n\n"
        "Alert ID: alr-204\nSymbol: BTC/USDT\nCondition: BTC > 65000\n"
        "Timestamp: 20 Nov 2025, 10:00:00 EST\nTriggered price: 65,012.50\n\n"
        "20 Nov 2025, 10:00:00 EST"
    )
    assert ">CRITICAL</span>" in message.html
    assert "BTC &gt; 65000" in message.html
    assert "prefers-color-scheme: dark" in message.html


def test_a_partial_fill_says_how_much() -> None:
    message = rendered(payload={**SAMPLES["ORDER_FILLED"], "fill_quantity": "0.20"})

    assert message.title.startswith("BUY 0.20 BTC/USDT")
    assert message.text.startswith("Partly filled: 0.20 of 0.5\n")


@pytest.mark.parametrize("channel", SHOWN)
@pytest.mark.parametrize("event_type", [*SAMPLES, *MORE_TYPES])
@pytest.mark.parametrize("empty", [False, True], ids=["full", "empty"])
def test_every_type_leaves_nothing_over(event_type: str, channel: Channel, empty: bool) -> None:
    payload = {} if empty else {**SAMPLES, **MORE_TYPES}[event_type]

    message = rendered(event_type, payload, channel)

    assert_presentable(message, channel)
    shown = Markup(message.html).text if channel == Channel.TELEGRAM else ""
    for line in [message.title, *message.text.splitlines(), *shown.splitlines()]:
        assert not re.search(r"None|\{\{|\}\}|\{%|%\}|%s|  |^[·:,]|[·:,]$|: :| ·  ·|\(\)|&\w+;", line), line
    assert "\n\n\n" not in message.text
    assert message.text == message.text.strip()


@pytest.mark.parametrize("event_type", SAMPLES)
def test_each_single_field_may_be_missing(event_type: str) -> None:
    for missing in SAMPLES[event_type]:
        payload = {name: value for name, value in SAMPLES[event_type].items() if name != missing}
        message = rendered(event_type, payload)
        for line in [message.title, *message.text.splitlines()]:
            assert not re.search(r"None|  |^[·:,]|[·:,]$|\(\)", line), (missing, line)


@pytest.mark.parametrize("channel", EXTERNAL)
def test_external_channels_say_that_it_may_be_a_repeat(channel: Channel) -> None:
    message = rendered(channel=channel, possible_duplicate=True)

    assert message.text.count(NOTICE) == 1
    assert message.html.count(NOTICE) == (1 if message.html else 0)
    assert NOTICE not in rendered(channel=channel).text


def test_the_page_is_not_told_of_repeats_it_sees_by_itself() -> None:
    assert rendered(possible_duplicate=True) == rendered()


# Which template


def test_an_unknown_type_is_named_and_its_values_are_listed() -> None:
    payload = {
        "asset": "ETH",
        "swap": {"notional_usd": "1234567.10", "legs": [{"side": "pay"}, {"side": "receive"}]},
        "tags": ["a", "b"],
        "accepted": True,
        "nothing": None,
        "empty": {},
        "order_id": 123456789,
        "expires_at": AT_MS,
        "memo": "long " * 100,
    }

    message = rendered("norm.swap_demand", payload)

    assert message.title == "Swap demand"
    *lines, memo = message.text.splitlines()
    assert lines == [
        "Asset: ETH",
        "Swap.Notional USD: 1,234,567.10",
        "Swap.Legs.1.Side: pay",
        "Swap.Legs.2.Side: receive",
        "Tags: a, b",
        "Accepted: yes",
        "Order ID: 123456789",
        "Expires at: 20 Nov 2025, 10:00:00 EST",
    ]
    assert memo.endswith("…")
    assert len(memo) < 200


def test_an_unknown_type_lists_a_dozen_values_at_most() -> None:
    message = rendered("SOMETHING", {f"field_{n}": n for n in range(100)})

    assert len(message.text.splitlines()) == 12


@pytest.mark.parametrize(
    ("event_type", "title"),
    [
        ("ML_MODEL_UPDATED", "ML model updated"),
        ("norm.swap_demand", "Swap demand"),
        ("marginCallRaised", "Margin call raised"),
        ("raw.book", "Raw book"),
        ("", "Notification"),
        ("...", "Notification"),
        ("../../../etc/passwd", "/ /etc/passwd"),
        ("layouts/email", "Layouts/email"),
        ("parts/order", "Parts/order"),
        ("default", "Default"),
        ("<b>{{ x }}", "<b>{{ x }}"),
        ("X\r\nBcc: me", "X bcc: me"),
    ],
)
def test_any_name_makes_a_title(event_type: str, title: str) -> None:
    assert rendered(event_type, {}).title == title


@pytest.mark.parametrize(
    ("event_type", "like", "title", "body"),
    [
        (
            "ORDER_AMENDED",
            "ORDER_PLACED",
            "Order amended: BUY 0.5 BTC/USDT",
            "Status: Open\nLimit order · Binance · strategy grid-btc",
        ),
        ("ALERT_SNOOZED", "ALERT_CREATED", "Alert snoozed: BTC > 65000", ""),
        (
            "POSITION_ADJUSTED",
            "POSITION_UPDATED",
            "Position adjusted: LONG 12.5 ETH/USDT",
            "Entry 3,010.40 · now 3,088.20\n5x leverage · liquidation at 2,436.10 · Bybit",
        ),
        (
            "STRATEGY_PAUSED",
            "STRATEGY_LOG",
            "Strategy paused: Grid BTC",
            "Grid moved up by one level\nlower 62,000.00, upper 66,000.00",
        ),
        ("BACKTEST_STARTED", "BACKTEST_COMPLETED", "Backtest started: Grid BTC", "BTC/USDT · 1h"),
        ("CONTAINER_PAUSED", "CONTAINER_READY", "Container paused", "Ready; 2 strategies resumed"),
    ],
)
def test_a_new_type_of_a_known_family_is_worded_like_the_family(
    event_type: str, like: str, title: str, body: str
) -> None:
    message = rendered(event_type, SAMPLES[like])

    assert (message.title, message.text) == (title, body)


@pytest.mark.parametrize("spelling", ["ORDER_FILLED", "order_filled", "order.filled", "orderFilled"])
def test_a_type_is_found_in_any_spelling(spelling: str) -> None:
    assert rendered(spelling, SAMPLES["ORDER_FILLED"]) == rendered("ORDER_FILLED")


# What producers must not be able to do


@pytest.mark.parametrize("channel", list(Channel))
@pytest.mark.parametrize("event_type", LITERAL_FIELD)
@pytest.mark.parametrize("injection", INJECTIONS)
def test_payload_strings_are_shown_literally(injection: str, event_type: str, channel: Channel) -> None:
    payload = {LITERAL_FIELD[event_type]: injection, "fill_price": "1"}

    message = rendered(event_type, payload, channel)

    assert_presentable(message, channel)
    assert injection in f"{message.title}\n{message.text}"
    if message.html:
        assert injection in Markup(message.html).text
        assert escape(injection) in message.html


@pytest.mark.parametrize("channel", SHOWN)
def test_field_names_are_shown_literally(channel: Channel) -> None:
    message = rendered("norm.swap_demand", {"<b>{{ x }}": {"{% y %}": "1"}}, channel)

    assert_presentable(message, channel)
    assert "<b>{{ x }}.{% y %}: 1" in message.text


@pytest.mark.parametrize("channel", SHOWN)
def test_control_and_bidi_characters_are_stripped(channel: Channel) -> None:
    dirty = "a\x00\x1b[31m\u202eb\u2066\u200f\r\nSubject: c\x85d\ud800"

    message = rendered("ALERT_TRIGGERED", {"condition": dirty}, channel)

    assert_presentable(message, channel)
    assert message.title == "Alert: a[31mb Subject: c d"
    assert not re.search("[\x00\x1b\u202e\u2066\u200f\ud800]", message.html)


def test_line_ends_and_indents_of_a_message_are_kept_in_the_body() -> None:
    message = rendered("STRATEGY_LOG", {"message": "Traceback:\n    line 1\r\n\n\n\n\tline 2"})

    assert message.text == "Traceback:\n    line 1\n\n    line 2"


def test_text_is_not_escaped() -> None:
    assert rendered("ALERT_TRIGGERED", {"condition": "BTC < 50 & 'x'"}).title == "Alert: BTC < 50 & 'x'"


# Lengths


@pytest.mark.parametrize("letter", ["x", "<", "&", "🚀", "👩\u200d🚀", "é\u0301", "\n"])
@pytest.mark.parametrize(
    "event_type", ["ORDER_FILLED", "STRATEGY_LOG", "ALERT_TRIGGERED", "ML_MODEL_UPDATED"]
)
@pytest.mark.parametrize("channel", SHOWN)
def test_long_values_are_cut(letter: str, event_type: str, channel: Channel) -> None:
    names = ["symbol", "exchange", "message", "condition", "strategy_id", "details", letter * 50]

    message = rendered(event_type, dict.fromkeys(names, letter * 16_000), channel)

    assert_presentable(message, channel)


def test_what_is_cut_ends_in_an_ellipsis_and_closed_tags() -> None:
    message = rendered("STRATEGY_LOG", {"message": "&" * 5_000}, Channel.TELEGRAM)

    assert message.html.endswith("&amp;…")
    assert units(message.html) > MAX_TELEGRAM_UNITS - len("&amp;")


@pytest.mark.parametrize("limit", range(20, 60))
def test_markup_is_cut_between_tags_entities_and_characters(limit: int) -> None:
    markup = "<b>🚀 one &lt; two &#x27;</b> <i>three <b>🚀🚀🚀 four</b></i> &amp; five"

    cut = cut_html(markup, limit)

    assert units(cut) <= limit
    assert Markup(cut, {"b", "i"}).problems == []
    assert Markup(markup).text.startswith(Markup(cut).text.removesuffix("…").rstrip())


@pytest.mark.parametrize("limit", range(2, 12))
def test_text_is_cut_between_characters(limit: int) -> None:
    cut = cut_text("a🚀b🚀🚀c🚀", limit)

    assert units(cut) <= limit
    assert "a🚀b🚀🚀c🚀".startswith(cut.removesuffix("…"))


# Times and numbers


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
    message = render(
        event_type="ORDER_FILLED",
        payload={},
        channel=Channel.TELEGRAM,
        priority=Priority.NORMAL,
        timestamp_ms=timestamp_ms,
        time_zone="UTC",
        key="k",
    )

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
    message = rendered(payload={"symbol": "X", "side": "buy", "quantity": 1200, "price": 0.0000001})

    assert message.title == "BUY 1,200 X filled at 0.0000001"


# Whatever comes

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=200),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)
KNOWN_FIELDS = sorted({name for sample in SAMPLES.values() for name in sample})


@given(
    event_type=st.sampled_from([*SAMPLES, *MORE_TYPES]) | st.text(max_size=40),
    payload=st.dictionaries(st.sampled_from(KNOWN_FIELDS) | st.text(max_size=30), JSON_VALUES, max_size=14),
    channel=st.sampled_from(list(Channel)),
    priority=st.sampled_from(list(Priority)),
    time_zone=st.sampled_from(["Asia/Kolkata", "Nowhere"]) | st.text(max_size=20),
    possible_duplicate=st.booleans(),
)
def test_no_json_payload_breaks_a_message(
    event_type: str,
    payload: dict[str, Any],
    channel: Channel,
    priority: Priority,
    time_zone: str,
    possible_duplicate: bool,
) -> None:
    message = rendered(
        event_type,
        payload,
        channel,
        priority=priority,
        time_zone=time_zone,
        possible_duplicate=possible_duplicate,
    )

    assert_presentable(message, channel)


def test_a_sentence_is_made_of_any_spelling() -> None:
    assert [sentence(name) for name in ("fill_price", "FILL_PRICE", "fillPrice", "strategy_id")] == [
        "Fill price",
        "Fill price",
        "Fill price",
        "Strategy ID",
    ]


def test_a_time_near_the_end_of_the_calendar_is_left_out() -> None:
    assert local_time(253_402_300_799_000, UTC) == ""
