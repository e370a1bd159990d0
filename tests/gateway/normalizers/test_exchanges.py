"""Trades, orders, balances and positions of exchanges: what each message says, and no more."""

import json

import pytest

from gateway.codec import events
from gateway.codec.limits import InvalidEvent
from gateway.normalizers.base import Received, Whom
from gateway.normalizers.binance import BINANCE
from gateway.normalizers.bybit import BYBIT
from gateway.normalizers.event_system import EVENT_SYSTEM
from gateway.normalizers.settlement import SETTLEMENT
from gateway.normalizers.trading_bus import TRADING_BUS
from tests.gateway.good_events import GRANT

NOW_MS = 1_764_000_000_000


def read(form, body: object, options: dict | None = None, account: str = ""):
    checked = form.check_options(options or {})
    drafts = form.read(Received(json.dumps(body).encode(), account=account, options=checked, now_ms=NOW_MS))
    for draft in drafts:  # each is an event that the gateway accepts
        whom = "topic" if draft.to.whom is Whom.TOPIC else "user_id"
        events.from_json({**draft.event, "event_id": draft.event_id, whom: draft.to.name}, GRANT)
    return drafts


def said(draft) -> tuple[str, str, dict]:
    """Return account, type and payload."""
    return draft.to.name, draft.event.get("event_type") or draft.event["type_name"], draft.event["payload"]


TRADE = {
    "trade_id": 5001,
    "symbol": "BTC_USDT",
    "price": "85000.00",
    "qty": "0.0010",
    "buyer_user_id": 1001,
    "buyer_order_id": 7,
    "seller_user_id": 1002,
    "seller_order_id": 8,
    "taker_side": "BUY",
    "taker_order_qty": "0.001",
    "taker_filled_qty": "0.0010",
    "maker_order_qty": "2",
    "maker_filled_qty": "0.5",
    "traded_at": 1_734_533_790_000,
}


def test_one_trade_tells_buyer_and_seller_and_whose_order_is_filled() -> None:
    buyer, filled, seller, partial = read(SETTLEMENT, TRADE)
    at = 1_734_533_790_000
    assert said(buyer) == (
        "1001",
        "TRADE_EXECUTED",
        {
            "trade_id": "5001",
            "order_id": "7",
            "symbol": "BTC_USDT",
            "side": "BUY",
            "role": "TAKER",
            "price": "85000.00",
            "quantity": "0.0010",
            "traded_at": at,
        },
    )
    assert said(filled)[:2] == ("1001", "ORDER_FILLED")
    assert filled.event["payload"]["fill_quantity"] == "0.0010"
    assert (said(seller)[0], said(seller)[2]["side"], said(seller)[2]["role"]) == ("1002", "SELL", "MAKER")
    assert said(partial) == (
        "1002",
        "ORDER_UPDATED",
        {
            "order_id": "8",
            "symbol": "BTC_USDT",
            "side": "SELL",
            "quantity": "2",
            "fill_quantity": "0.5",
            "status": "PARTIALLY_FILLED",
            "timestamp": at,
        },
    )
    assert len({one.event_id for one in (buyer, filled, seller, partial)}) == 4


def test_without_quantities_nothing_is_said_of_the_orders() -> None:
    bare = {name: value for name, value in TRADE.items() if not name.endswith(("filled_qty", "order_qty"))}
    assert [said(one)[1] for one in read(SETTLEMENT, bare)] == ["TRADE_EXECUTED"] * 2
    with pytest.raises(InvalidEvent):
        read(SETTLEMENT, TRADE | {"maker_filled_qty": "2.1"})
    [first, *_] = read(SETTLEMENT, TRADE, {"priorities": {"TRADE_EXECUTED": "INFORMATIONAL"}})
    assert first.event["delivery"] == {"priority": "INFORMATIONAL"}


# The 19 names of the service bus, and what the contract calls them.
NAMES = {
    "MARKET_DATA_UPDATE": "MARKET_DATA_UPDATED",
    "TRADING_SIGNAL": "TRADING_SIGNAL",
    "ORDER_EXECUTED": "ORDER_EXECUTED",
    "PORTFOLIO_UPDATE": "PORTFOLIO_UPDATED",
    "RISK_ALERT": "RISK_ALERT",
    "ML_MODEL_UPDATE": "ML_MODEL_UPDATED",
    "RL_MODEL_UPDATE": "RL_MODEL_UPDATED",
    "RL_ACTION_TAKEN": "RL_ACTION_TAKEN",
    "FEATURE_VECTOR_UPDATE": "FEATURE_VECTOR_UPDATED",
    "ALTERNATIVE_DATA_UPDATE": "ALTERNATIVE_DATA_UPDATED",
    "SENTIMENT_DATA_UPDATE": "SENTIMENT_DATA_UPDATED",
    "ONCHAIN_DATA_UPDATE": "ONCHAIN_DATA_UPDATED",
    "ECONOMIC_DATA_UPDATE": "ECONOMIC_DATA_UPDATED",
    "BACKTEST_REQUEST": "BACKTEST_REQUESTED",
    "BACKTEST_COMPLETED": "BACKTEST_COMPLETED",
    "MULTI_SYMBOL_BACKTEST_REQUEST": "MULTI_SYMBOL_BACKTEST_REQUESTED",
    "STRATEGY_OPTIMIZATION_REQUEST": "STRATEGY_OPTIMIZATION_REQUESTED",
    "SYSTEM_HEALTH": "SYSTEM_HEALTH",
    "MARKET_REGIME_CHANGE": "MARKET_REGIME_CHANGED",
}
SIGNAL = {
    "event_type": "trading_signal",
    "event_id": "0b9c",
    "timestamp": "2025-11-24T16:00:00.123456",
    "source": "ml_service",
    "data": {"symbol": "BTC/USDT", "signal": "BUY", "confidence": 0.85},
    "metadata": {"run": "7", "user_id": "ann"},
}


@pytest.mark.parametrize("spelled", [str.upper, str.lower])
@pytest.mark.parametrize("name", NAMES)
def test_every_type_of_the_service_bus_is_one_of_the_contract(name: str, spelled) -> None:
    [draft] = read(EVENT_SYSTEM, SIGNAL | {"event_type": spelled(name)})
    assert draft.event["event_type"] == NAMES[name]


def test_an_event_of_the_service_bus_goes_to_its_person_or_to_the_topic_of_its_type() -> None:
    [draft] = read(EVENT_SYSTEM, SIGNAL)
    assert (draft.to.whom, draft.to.name, draft.event_id) == (Whom.USER, "ann", "0b9c")
    assert draft.event["timestamp"] == 1_764_000_000_123
    assert draft.event["payload"] == SIGNAL["data"]
    assert draft.event["metadata"] == {"run": "7", "user_id": "ann", "service": "ml_service"}
    [draft] = read(EVENT_SYSTEM, SIGNAL | {"metadata": {}, "event_type": "my.own"})
    assert (draft.to.whom, draft.to.name, draft.event["type_name"]) == (Whom.TOPIC, "events.my.own", "my.own")


def test_a_message_of_the_trading_bus() -> None:
    message = {
        "event_id": "r-1",
        "event_type": "exec.trade_result",
        "venue": "near-intents",
        "observed_at": "2025-11-24T16:00:00Z",
        "ingested_at": "2025-11-24T16:00:01Z",
        "schema_version": "1",
        "payload": {"command_id": "c-1", "account_id": "a1", "amount": "0.100"},
    }
    [draft] = read(TRADING_BUS, message)
    assert said(draft) == ("a1", "exec.trade_result", message["payload"])
    assert (draft.event["timestamp"], draft.event["schema_version"]) == (NOW_MS, 1)
    assert (draft.event["correlation_id"], draft.event["metadata"]["venue"]) == ("c-1", "near-intents")
    [draft] = read(TRADING_BUS, message | {"payload": {}, "schema_version": "1.2"})
    assert (draft.to.name, draft.event["metadata"]["schema_version"]) == ("exec.trade_result", "1.2")


# Samples of https://developers.binance.com/docs/binance-spot-api-docs/user-data-stream
ORDER = {
    "e": "executionReport",
    "E": 1499405658658,
    "s": "ETHBTC",
    "c": "mUvoqJxFIILMdfAW5iGSOW",
    "S": "BUY",
    "o": "LIMIT",
    "f": "GTC",
    "q": "1.00000000",
    "p": "0.10264410",
    "P": "0.00000000",
    "F": "0.00000000",
    "g": -1,
    "C": "",
    "x": "NEW",
    "X": "NEW",
    "r": "NONE",
    "i": 4293153,
    "l": "0.00000000",
    "z": "0.00000000",
    "L": "0.00000000",
    "n": "0",
    "N": None,
    "T": 1499405658657,
    "t": -1,
    "I": 8641984,
    "w": True,
    "m": False,
    "M": False,
    "O": 1499405658657,
    "Z": "0.00000000",
    "Y": "0.00000000",
    "Q": "0.00000000",
    "V": "NONE",
}
PARTIAL = ORDER | {"x": "TRADE", "X": "PARTIALLY_FILLED", "l": "0.40000000", "z": "0.40000000"}
PARTIAL |= {"L": "0.10264400", "t": 77, "n": "0.00001000", "N": "BNB", "I": 8641985}
FILLED = PARTIAL | {"X": "FILLED", "l": "0.60000000", "z": "1.00000000", "t": 78, "I": 8641986}


def test_an_order_of_binance() -> None:
    [placed] = read(BINANCE, {"subscriptionId": 0, "event": ORDER}, account="main")
    assert placed.event_id == "binance:main:order:ETHBTC:4293153:8641984"
    assert said(placed) == (
        "main",
        "ORDER_PLACED",
        {
            "order_id": "4293153",
            "client_order_id": "mUvoqJxFIILMdfAW5iGSOW",
            "symbol": "ETHBTC",
            "side": "BUY",
            "order_type": "LIMIT",
            "quantity": "1.00000000",
            "price": "0.10264410",
            "status": "NEW",
            "exchange": "Binance",
            "timestamp": 1499405658657,
        },
    )
    [partial] = read(BINANCE, {"stream": "key", "data": PARTIAL}, {"account": "main"})
    [filled] = read(BINANCE, FILLED, account="main")
    assert (said(partial)[1], said(filled)[1]) == ("ORDER_UPDATED", "ORDER_FILLED")
    assert partial.event["payload"]["fill_price"] == "0.10264400"
    assert "fill_price" not in filled.event["payload"]  # the average of two is in no field
    assert filled.event["payload"]["fill_quantity"] == "1.00000000"
    assert filled.event["payload"]["last_price"] == "0.10264400"
    assert partial.event["ordering_key"] == filled.event["ordering_key"]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"x": "CANCELED", "X": "CANCELED"}, "ORDER_CANCELLED"),
        ({"x": "REJECTED", "X": "REJECTED", "r": "INSUFFICIENT_BALANCES"}, "ORDER_REJECTED"),
        ({"x": "EXPIRED", "X": "EXPIRED"}, "ORDER_EXPIRED"),
        ({"x": "REPLACED", "X": "NEW"}, "ORDER_UPDATED"),
        ({"x": "TRADE_PREVENTION", "X": "EXPIRED_IN_MATCH"}, "ORDER_EXPIRED"),
    ],
)
def test_how_an_order_of_binance_ends(change: dict, kind: str) -> None:
    [draft] = read(BINANCE, ORDER | change, account="main")
    assert said(draft)[1] == kind
    assert draft.event["payload"].get("error_message") == (change.get("r"))


def test_balances_of_binance() -> None:
    position = {"e": "outboundAccountPosition", "E": 1564034571105, "u": 1564034571073}
    position["B"] = [
        {"a": "ETH", "f": "10000.000000", "l": "0.000000"},
        {"a": "BTC", "f": "1", "l": "0.5"},
    ]
    ether, bitcoin = read(BINANCE, position, account="main")
    assert said(ether)[1:] == (
        "BALANCE_UPDATED",
        {
            "asset": "ETH",
            "avail": "10000.000000",
            "frozen": "0.000000",
            "updated_at": 1564034571073,
            "exchange": "Binance",
        },
    )
    assert ether.event["collapse_key"] != bitcoin.event["collapse_key"]
    change = {"e": "balanceUpdate", "E": 1573200697110, "a": "BTC", "d": "100.00000000", "T": 1573200697068}
    [draft] = read(BINANCE, change, account="main")
    assert (draft.event["payload"]["delta"], draft.event["timestamp"]) == ("100.00000000", 1573200697068)
    assert read(BINANCE, {"e": "listStatus"}) == []


# Samples of https://bybit-exchange.github.io/docs/v5/websocket/private/
BYBIT_ORDER = {
    "category": "option",
    "symbol": "ETH-30DEC22-1400-C",
    "orderId": "5cf98598-39a7-459e-97bf-76ca765ee020",
    "orderLinkId": "",
    "side": "Sell",
    "orderStatus": "New",
    "orderType": "Market",
    "price": "72.5",
    "qty": "1",
    "avgPrice": "",
    "leavesQty": "",
    "cumExecQty": "0",
    "rejectReason": "EC_NoError",
    "createdTime": "1672364262444",
    "updatedTime": "1672364262457",
}
BYBIT_EXECUTION = {
    "category": "linear",
    "symbol": "XRPUSDT",
    "execFee": "0.005061",
    "execId": "7e2ae69c-4edf-5800-a352-893d52b446aa",
    "execPrice": "0.3374",
    "execQty": "25",
    "execType": "Trade",
    "isMaker": False,
    "orderId": "f6e324ff-99c2-4e89-9739-3086e47f9381",
    "side": "Sell",
    "execTime": "1672364174443",
}
BYBIT_POSITION = {
    "positionIdx": 0,
    "symbol": "BTCUSDT",
    "side": "Buy",
    "size": "0.01",
    "entryPrice": "17214.50",
    "leverage": "10",
    "markPrice": "17253.0",
    "liqPrice": "",
    "unrealisedPnl": "0.385",
    "positionStatus": "Normal",
    "seq": 4688002127,
    "updatedTime": "1672364174455",
}


def bybit(topic: str, *data: dict):
    body = {"id": "1", "topic": topic, "creationTime": 1672364174455, "data": list(data)}
    return read(BYBIT, body, account="sub-1")


def test_orders_of_bybit() -> None:
    filled = BYBIT_ORDER | {"orderStatus": "Filled", "cumExecQty": "1", "avgPrice": "75.00"}
    placed, done = bybit("order", BYBIT_ORDER, filled)
    assert said(placed) == (
        "sub-1",
        "ORDER_PLACED",
        {
            "order_id": "5cf98598-39a7-459e-97bf-76ca765ee020",
            "symbol": "ETH-30DEC22-1400-C",
            "side": "Sell",
            "order_type": "Market",
            "quantity": "1",
            "price": "72.5",
            "status": "New",
            "exchange": "Bybit",
            "timestamp": 1672364262457,
        },
    )
    assert said(done)[1] == "ORDER_FILLED"
    assert (done.event["payload"]["fill_quantity"], done.event["payload"]["fill_price"]) == ("1", "75.00")
    rejected = BYBIT_ORDER | {"orderStatus": "Rejected", "rejectReason": "EC_PostOnlyWillTakeLiquidity"}
    [draft] = bybit("order.option", rejected)
    assert draft.event["payload"]["error_message"] == "EC_PostOnlyWillTakeLiquidity"


def test_executions_and_positions_of_bybit() -> None:
    trade, funding = bybit("execution", BYBIT_EXECUTION, BYBIT_EXECUTION | {"execType": "Funding"})
    assert said(trade)[1] == "TRADE_EXECUTED"
    payload = trade.event["payload"]
    assert (payload["role"], payload["price"], payload["fee"]) == ("TAKER", "0.3374", "0.005061")
    assert said(funding)[1] == "bybit.execution_funding"
    [position] = bybit("position", BYBIT_POSITION)
    assert said(position)[1] == "POSITION_UPDATED"
    assert (position.event["payload"]["side"], position.event["payload"]["entry_price"]) == (
        "LONG",
        "17214.50",
    )
    [none] = bybit("position", BYBIT_POSITION | {"side": "", "size": "0"})
    assert (said(none)[1], none.event["payload"]["size"]) == ("POSITION_UPDATED", "0")
    assert none.event["collapse_key"] == position.event["collapse_key"]


@pytest.mark.parametrize(
    ("form", "body"),
    [
        (BINANCE, ORDER | {"X": "SOLD"}),
        (BINANCE, ORDER | {"q": "NaN"}),
        (BINANCE, {"e": "externalLockUpdate"}),
        (BINANCE, {"e": "outboundAccountPosition", "u": 1564034571073, "B": [1]}),
        (BYBIT, {"topic": "wallet", "data": []}),
        (BYBIT, {"topic": "order", "data": [BYBIT_ORDER | {"orderStatus": "Sold"}]}),
        (SETTLEMENT, TRADE | {"taker_side": "LONG"}),
        (SETTLEMENT, TRADE | {"price": True}),
        (TRADING_BUS, {"event_id": "1", "event_type": "norm.swap_demand", "payload": {}}),
        (EVENT_SYSTEM, SIGNAL | {"data": [1]}),
        (EVENT_SYSTEM, SIGNAL | {"event_type": "a b"}),
    ],
)
def test_what_is_not_known_is_not_guessed(form, body: object) -> None:
    with pytest.raises(InvalidEvent) as refused:
        read(form, body, account="main")
    assert refused.value.code == "not_understood"


def test_a_stream_that_names_no_account_needs_one() -> None:
    with pytest.raises(InvalidEvent) as refused:
        read(BINANCE, ORDER)
    assert refused.value.field == "account"
