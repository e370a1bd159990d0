"""A message says what the producer wrote, no more and no less, on every channel."""

from typing import Any

import pytest

from notifications.states import Channel
from tests.notifications.rendering.rendered_messages import (
    AT_MS,
    SHOWN,
    Markup,
    assert_presentable,
    rendered,
)

SHORT = [Channel.WEB, Channel.TELEGRAM]
CODES = {
    "otp": "004512",
    "zip": "02134",
    "phone": "+447700900123",
    "ticket": "48213377",
    "iban": "89370400440532013000",
    "pin": 48213377,
    "count": 1234567,
    "build": "1e5",
    "price": "1234567.80",
}
MOMENT = "27 Jul 2023, 23:14:00 CEST"


def lines_of(
    event_type: str, payload: dict[str, Any], channel: Channel, zone: str = "Europe/Berlin"
) -> set[str]:
    """Return the lines that a person reads, of both forms where there are two."""
    message = rendered(event_type, payload, channel, time_zone=zone)
    assert_presentable(message, channel)
    markup = Markup(message.html).text if channel == Channel.TELEGRAM else ""
    return {message.title, *message.text.splitlines(), *markup.splitlines()}


def said(event_type: str, payload: dict[str, Any], channel: Channel, zone: str = "Europe/Berlin") -> str:
    return "\n".join(sorted(lines_of(event_type, payload, channel, zone)))


# Digits


@pytest.mark.parametrize("channel", SHOWN)
@pytest.mark.parametrize("event_type", ["login.code", "CUSTOM", "ORDER_PLACED", "order.note", "RISK_ALERT"])
def test_digits_that_are_no_amount_stay_digit_for_digit(channel: Channel, event_type: str) -> None:
    payload = {name: value for name, value in CODES.items() if name != "price"}
    text = rendered(event_type, payload, channel)
    shown = lines_of(event_type, payload, channel)

    if channel == Channel.EMAIL or event_type in {"login.code", "CUSTOM"}:
        for name, value in payload.items():
            assert any(line.endswith(f": {value}") for line in shown), name
    assert "," not in text.text.replace("20 Nov 2025, ", "")


@pytest.mark.parametrize("channel", SHOWN)
def test_an_amount_of_an_unknown_type_is_not_grouped(channel: Channel) -> None:
    assert "Price: 1234567.80" in said("ticket.opened", CODES, channel)


@pytest.mark.parametrize("channel", SHOWN)
@pytest.mark.parametrize("event_type", ["ORDER_PLACED", "order.amended"])
def test_an_amount_of_a_known_type_is_grouped(channel: Channel, event_type: str) -> None:
    assert "1,200 BTC_USDT" in said(
        event_type, {"symbol": "BTC_USDT", "side": "buy", "quantity": "1200"}, channel
    )


@pytest.mark.parametrize("channel", SHOWN)
@pytest.mark.parametrize("quantity", ["004512", "+447700900123", "1_000", "12 000"])
def test_no_sign_and_no_zero_of_an_amount_is_dropped(channel: Channel, quantity: str) -> None:
    text = said("ORDER_PLACED", {"symbol": "X", "quantity": quantity}, channel)

    assert quantity in text.replace(",", "")


def test_only_the_amounts_of_the_event_itself_are_grouped() -> None:
    shown = lines_of("ORDER_PLACED", {"price": "64300", "ticket": {"price": "64300"}}, Channel.EMAIL)

    assert {"Price: 64,300", "Ticket.Price: 64300"} <= shown


# Moments


@pytest.mark.parametrize("channel", SHOWN)
@pytest.mark.parametrize(
    "name", ["createdTime", "update_time", "expires_at", "ts", "closeTimestamp", "lastUpdated"]
)
@pytest.mark.parametrize(
    "value",
    [
        1690492440,
        1690492440298,
        1690492440298123,
        1690492440298123456,
        "1690492440",
        "1690492440298",
        "1690492440298123",
        "1690492440298123456",
        1690492440.298,
        "1690492440.298",
        [1690492440298],
    ],
)
def test_an_epoch_in_a_field_named_like_a_time_is_a_moment(channel: Channel, name: str, value: Any) -> None:
    assert f": {MOMENT}\n" in said("job.done", {name: value}, channel) + "\n"


@pytest.mark.parametrize("channel", SHOWN)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("created_at_s", 1690492440),
        ("created_time_ms", "1690492440298"),
        ("createdAtNs", 1690492440298123456),
        ("updateTimeMs", 1690492440298),
        ("created_at_utc", 1690492440),
    ],
)
def test_the_unit_in_the_name_of_a_time_is_used(channel: Channel, name: str, value: Any) -> None:
    assert MOMENT in said("job.done", {name: value}, channel)


@pytest.mark.parametrize("channel", SHOWN)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ticket", "1690492440298"),
        ("phone", 1690492440),
        ("date", "20251120"),
        ("trade_date", 20251120150000),
        ("time", "093000"),
        ("response_time_ms", 1690492440298),
        ("wait_time", 1690492440298),
        ("uptime", 1690492440298),
        ("format", "1690492440298"),
        ("process_time_ns", 1690492440298000),
        ("created_at", "2025-11-20T15:00:00Z"),
    ],
)
def test_other_digits_are_no_moment(channel: Channel, name: str, value: Any) -> None:
    assert f": {value}\n" in said("job.done", {name: value}, channel) + "\n"


NO_TIME = [0, -1, "0", "-1", "", None, "0001-01-01T00:00:00Z", "0001-01-01 00:00:00+00:00", "0000-00-00"]
NO_TIME += [
    -62135596800,
    -62135596800000,
    0.0,
    "0.0",
    "null",
    "NaT",
    "None",
    2**63 - 1,
    "1970-01-01T00:00:00Z",
]
NO_TIME += [
    "1970-01-01T00:00:00.000Z",
    "9999-12-31T23:59:59.9999999",
    " ",
    "1/1/0001 12:00:00 AM",
    [0],
    [None, -1],
]


@pytest.mark.parametrize("channel", SHOWN)
@pytest.mark.parametrize("value", NO_TIME, ids=repr)
def test_no_time_is_left_out(channel: Channel, value: Any) -> None:
    assert "Filled" not in said("job.done", {"filled_at": value, "name": "x"}, channel)


# Claims


FACT = {
    "symbol": "BTC_USDT",
    "side": "buy",
    "qty": "1",
    "quantity": "1",
    "size": "1",
    "asset": "BTC",
    "avail": "2",
}
UNDONE = [
    "rejected",
    "cancelled",
    "expired",
    "simulated",
    "dry_run",
    "failed",
    "partially_filled",
    "frobnicated",
]


@pytest.mark.parametrize("channel", SHOWN)
@pytest.mark.parametrize("suffix", UNDONE)
@pytest.mark.parametrize("family", ["trade", "order", "position", "alert", "strategy", "balance", "backtest"])
def test_a_family_says_the_name_of_the_type_and_claims_nothing(
    channel: Channel, family: str, suffix: str
) -> None:
    message = rendered(f"{family}.{suffix}", FACT, channel)

    assert suffix.replace("_", " ") in message.title.lower()
    for claim in ("traded", "executed", " filled at", "opened", "triggered", "completed", "started"):
        assert claim not in f"{message.title}\n{message.text}"


@pytest.mark.parametrize("channel", SHOWN)
@pytest.mark.parametrize("suffix", UNDONE)
@pytest.mark.parametrize(
    "known",
    [
        "order_filled",
        "trade_executed",
        "position_closed",
        "position_liquidated",
        "alert_triggered",
        "strategy_started",
        "backtest_completed",
        "container_ready",
        "balance_updated",
        "trading_signal",
        "risk_alert",
        "market_data_updated",
        "portfolio_updated",
    ],
)
def test_a_longer_name_does_not_claim_what_the_shorter_one_says(
    channel: Channel, known: str, suffix: str
) -> None:
    for spelled in (f"{known}_{suffix}", f"{known}.{suffix}", f"{known.replace('_', '.')}.{suffix}"):
        assert suffix.replace("_", " ") in rendered(spelled, FACT, channel).title.lower()


@pytest.mark.parametrize("channel", SHOWN)
@pytest.mark.parametrize(
    "told", [{"dry_run": True}, {"simulated": "true"}, {"isPaper": 1}, {"mode": "paper"}, {"testnet": True}]
)
@pytest.mark.parametrize("event_type", ["ORDER_FILLED", "TRADE_EXECUTED", "POSITION_CLOSED", "my.thing_done"])
def test_what_was_only_simulated_says_so(channel: Channel, told: dict[str, Any], event_type: str) -> None:
    assert rendered(event_type, FACT | told, channel).title.startswith("Simulated: ")


@pytest.mark.parametrize("told", [{"dry_run": False}, {"test": "no"}, {"mode": "live"}, {"paper": None}])
def test_what_happened_for_real_does_not(told: dict[str, Any]) -> None:
    assert not rendered("ORDER_FILLED", FACT | told).title.startswith("Simulated")


@pytest.mark.parametrize("channel", SHOWN)
@pytest.mark.parametrize("status", ["partially_filled", "PartiallyFilled", "PARTIAL_FILL", "Partly filled"])
def test_a_partial_fill_is_no_fill(channel: Channel, status: str) -> None:
    title = rendered("ORDER_FILLED", {"symbol": "X", "side": "buy", "status": status}, channel).title

    assert title.endswith("partly filled")


def test_a_limit_is_not_the_price_of_a_fill() -> None:
    message = rendered("ORDER_FILLED", {"symbol": "X", "order_type": "limit", "price": "10"})

    assert (message.title, message.text) == ("X filled", "Limit order at 10")


def test_known_types_say_that_it_happened() -> None:
    payload = FACT | {"price": "85000"}
    assert rendered("TRADE_EXECUTED", payload).title == "BUY 1 BTC_USDT traded at 85,000"
    assert rendered("trade.executed", payload).title == "BUY 1 BTC_USDT traded at 85,000"
    assert rendered("trade.rejected", payload).title == "Trade rejected: BUY 1 BTC_USDT at 85,000"


# Letters


@pytest.mark.parametrize("channel", SHOWN)
@pytest.mark.parametrize(
    ("event_type", "payload", "shown"),
    [
        ("ORDER_PLACED", {"exchange": "binance"}, "binance"),
        ("ORDER_PLACED", {"exchange": "dYdX"}, "dYdX"),
        ("ORDER_PLACED", {"symbol": "1000pepe-usdt", "side": "buy"}, "1000pepe-usdt"),
        ("ORDER_PLACED", {"order_type": "TWAP"}, "TWAP order"),
        ("ORDER_PLACED", {"symbol": "X", "side": "Buy-In"}, "Buy-In X"),
        ("RISK_ALERT", {"risk_type": "VaR"}, "Risk alert: VaR"),
        ("RISK_ALERT", {"metric": "BTC_USDT"}, "Risk alert: BTC_USDT"),
        ("RISK_ALERT", {"title": "ETHUSDT"}, "Risk alert: ETHUSDT"),
        ("RISK_ALERT", {"severity": "SEV-1"}, "severity SEV-1"),
        ("SYSTEM_HEALTH", {"service": "iBroker", "status": "DEGRADED"}, "iBroker is DEGRADED"),
        ("BALANCE_UPDATED", {"reason": "FundingFee"}, "FundingFee"),
        ("STRATEGY_ERROR", {"details": {"BTC_USDT": "1", "McDonald": "x"}}, "BTC_USDT 1, McDonald x"),
        ("STRATEGY_LOG", {"strategy_name": "eBay scraper", "log_level": "WARN"}, "eBay scraper (WARN)"),
        ("wallet.changed", {"BTC_USDT": "1.5"}, "BTC_USDT: 1.5"),
        ("wallet.changed", {"Alice McDonald": "ÅsA"}, "Alice McDonald: ÅsA"),
        ("wallet.changed", {"small": 1e-8}, "Small: 0.00000001"),
        ("wallet.changed", {"large": 1e22}, "Large: 10000000000000000000000"),
    ],
)
def test_values_keep_their_letters(
    channel: Channel, event_type: str, payload: dict[str, Any], shown: str
) -> None:
    assert shown in said(event_type, payload, channel)


# Order, and what is left out


INCIDENT = {"headline_of_the_incident": "DB is down", "impact_on_customers": "all"}
INCIDENT |= {f"k{n:02}": f"value {n}" for n in range(1, 14)}


@pytest.mark.parametrize("channel", SHOWN)
def test_the_first_fields_of_the_producer_come_first(channel: Channel) -> None:
    lines = [
        line for line in rendered("incident.opened", INCIDENT, channel).text.splitlines() if ": " in line
    ]

    assert lines[:3] == ["Headline of the incident: DB is down", "Impact on customers: all", "K01: value 1"]


@pytest.mark.parametrize("channel", SHORT)
def test_fields_that_are_left_out_are_counted(channel: Channel) -> None:
    assert "Not shown here: 3 more values" in lines_of("incident.opened", INCIDENT, channel)
    assert "Not shown here: 1 more value" in lines_of("x.y", dict.fromkeys(map(str, range(13)), "1"), channel)
    assert "Not shown" not in said("x.y", dict.fromkeys(map(str, range(12)), "1"), channel)
    assert "300 or more values" in said("x.y", {"a": [[n] for n in range(5_000)]}, channel)
    assert "Tags: 1, 2, 3, 4, 5, 6, 7, 8 and 4 more" in said("x.y", {"tags": list(range(1, 13))}, channel)


def test_an_email_has_every_field() -> None:
    payload = {**INCIDENT, "tags": list(range(1, 30)), "deep": {"er": {"still": ["a", {"b": "the last"}]}}}
    shown = lines_of("incident.opened", payload, Channel.EMAIL)

    assert {f"K{n:02}: value {n}" for n in range(1, 14)} <= shown
    assert f"Tags: {', '.join(map(str, range(1, 30)))}" in shown
    assert "Deep.Er.Still.2.B: the last" in shown


ERROR = "Order 1 could not be placed. " + "at frame in module; " * 186 + "InsufficientMarginError"


@pytest.mark.parametrize("channel", SHOWN)
@pytest.mark.parametrize(
    ("event_type", "name"),
    [
        ("STRATEGY_ERROR", "message"),
        ("EVENT_ERROR", "error"),
        ("ORDER_REJECTED", "error_message"),
        ("order.rejected_by_venue", "error_message"),
        ("CONTAINER_SHUTTING_DOWN", "reason"),
        ("job.failed", "error"),
        ("trade.rejected", "reason"),
    ],
)
def test_a_long_error_keeps_both_ends(channel: Channel, event_type: str, name: str) -> None:
    text = said(event_type, {name: ERROR}, channel)

    assert "Order 1 could not be placed." in text
    assert "InsufficientMarginError" in text
    assert (" characters left out] … " in text) == (channel != Channel.EMAIL)
    assert (ERROR in text) == (channel == Channel.EMAIL)


def test_an_email_says_a_long_error_once() -> None:
    assert rendered("STRATEGY_ERROR", {"message": ERROR}, Channel.EMAIL).text.count(ERROR) == 1


# None


@pytest.mark.parametrize("channel", SHOWN)
@pytest.mark.parametrize(
    "nothing", [0, "0", "0.00000000", 0.0, "", None, "null", "None", "NaN", [], {}], ids=repr
)
@pytest.mark.parametrize(
    ("event_type", "name"),
    [
        ("ORDER_PLACED", "price"),
        ("ORDER_FILLED", "fill_price"),
        ("ORDER_FILLED", "fill_quantity"),
        ("ORDER_CANCELLED", "fill_quantity"),
        ("ORDER_UPDATED", "avg_price"),
        ("POSITION_OPENED", "liquidation_price"),
        ("POSITION_OPENED", "leverage"),
        ("ALERT_TRIGGERED", "triggered_price"),
        ("MARKET_DATA_UPDATED", "bid"),
    ],
)
def test_a_zero_that_stands_for_none_is_not_shown(
    channel: Channel, nothing: Any, event_type: str, name: str
) -> None:
    assert said(event_type, FACT | {name: nothing}, channel) == said(event_type, FACT, channel)


@pytest.mark.parametrize("channel", SHOWN)
def test_a_zero_that_is_a_value_is_shown(channel: Channel) -> None:
    assert "BTC balance: 0" in said("BALANCE_UPDATED", {"asset": "BTC", "avail": "0"}, channel)
    assert "Retries: 0" in said("job.failed", {"retries": 0}, channel)
    assert "0 realized" in said("POSITION_CLOSED", {"symbol": "X", "realized_pnl": "0"}, channel)


def test_a_moment_is_shown_in_the_zone_of_each_person() -> None:
    assert "20 Nov 2025, 10:00:00 EST" in said("job.done", {"at": AT_MS}, Channel.WEB, "America/New_York")
    assert "20 Nov 2025, 15:00:00 UTC" in said("job.done", {"at": AT_MS}, Channel.WEB, "UTC")
