"""What people read, on each channel, whatever a producer sends."""

import re

import pytest

from gateway.web.samples import SAMPLES
from notifications.states import Channel, Priority
from tests.notifications.rendering.rendered_messages import (
    AT_MS,
    MORE_TYPES,
    NOTICE,
    SHOWN,
    Markup,
    assert_presentable,
    rendered,
)

EXTERNAL = [channel for channel in Channel if channel not in {Channel.WEB, Channel.ACTIVE_SESSION}]


# What it says


@pytest.mark.parametrize(
    ("event_type", "title", "body"),
    [
        (
            "ORDER_FILLED",
            "BUY 0.5 BTC/USDT filled at 64,250.00",
            "Limit order at 64,300.00 · binance · strategy grid-btc",
        ),
        (
            "ORDER_REJECTED",
            "Order rejected: BUY 0.5 BTC/USDT at 64,300.00",
            (
                "Insufficient balance: 32150.00 USDT needed, 18204.77 available\n"
                "Limit order · binance · strategy grid-btc"
            ),
        ),
        ("ALERT_TRIGGERED", "Alert: BTC > 65000", "BTC/USDT reached 65,012.50"),
        (
            "POSITION_LIQUIDATED",
            "LONG 12.5 ETH/USDT liquidated at 2,436.10",
            (
                "Result: -7,178.75 · entry 3,010.40\n5x leverage · bybit\n"
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
        "Limit order at 64,300.00 · binance · strategy grid-btc\n\n"
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
        "Swap.Notional USD: 1234567.10",
        "Swap.Legs.1.Side: pay",
        "Swap.Legs.2.Side: receive",
        "Tags: a, b",
        "Accepted: yes",
        "Order ID: 123456789",
        "Expires at: 20 Nov 2025, 10:00:00 EST",
    ]
    assert " … [" in memo
    assert len(memo) < 320


def test_an_unknown_type_lists_a_dozen_values_at_most() -> None:
    message = rendered("SOMETHING", {f"field_{n}": n for n in range(100)})

    *values, rest = message.text.splitlines()
    assert len(values) == 12
    assert rest == "Not shown here: 88 more values"


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
            "Status: Open\nLimit order · binance · strategy grid-btc",
        ),
        ("ALERT_SNOOZED", "ALERT_CREATED", "Alert snoozed: BTC > 65000", ""),
        (
            "POSITION_ADJUSTED",
            "POSITION_UPDATED",
            "Position adjusted: LONG 12.5 ETH/USDT",
            "Entry 3,010.40 · now 3,088.20\n5x leverage · liquidation at 2,436.10 · bybit",
        ),
        (
            "STRATEGY_PAUSED",
            "STRATEGY_LOG",
            "Strategy paused: Grid BTC",
            "Grid moved up by one level\nlower 62000.00, upper 66000.00",
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
