"""Bybit's private streams, v5: `order`, `execution` and `position`, of one account.

https://bybit-exchange.github.io/docs/v5/websocket/private/order
"""

from collections.abc import Callable

from gateway.normalizers.base import Draft, JsonObject, Normalizer, Received, event_id, not_understood
from gateway.normalizers.values import amount, decimal, moment_ms, objects, parse_object, text, without_empty
from gateway.normalizers.venues import VenueOptions, check_venue

_TYPES = {
    "New": "ORDER_PLACED",
    "PartiallyFilled": "ORDER_UPDATED",
    "Untriggered": "ORDER_UPDATED",
    "Triggered": "ORDER_UPDATED",
    "Filled": "ORDER_FILLED",
    "Cancelled": "ORDER_CANCELLED",
    "PartiallyFilledCanceled": "ORDER_CANCELLED",
    "Deactivated": "ORDER_CANCELLED",
    "Rejected": "ORDER_REJECTED",
}
_TRADES = frozenset({"Trade", "AdlTrade", "BustTrade"})
_LONG_SHORT = {"Buy": "LONG", "Sell": "SHORT"}
_NO_ERROR = frozenset({"", "EC_NoError"})

Read = Callable[[VenueOptions, str, JsonObject], Draft]


def _read(received: Received) -> list[Draft]:
    options: VenueOptions = received.options
    body = parse_object(received.body)
    topic = text(body, "topic").partition(".")[0]
    if topic not in _TOPICS:
        raise not_understood(f"There is no rule for the topic {topic[:60]}.", "topic")
    account = options.account_of(received)
    return [_TOPICS[topic](options, account, one) for one in objects(body, "data")]


def _order(options: VenueOptions, account: str, given: JsonObject) -> Draft:
    status, order_id = text(given, "orderStatus"), text(given, "orderId")
    if status not in _TYPES:
        raise not_understood(f"There is no rule for the status {status[:40]}.", "data.orderStatus")
    at_ms = moment_ms(given.get("updatedTime"), "data.updatedTime")
    filled = _unless_zero(given, "cumExecQty")
    reason = text(given, "rejectReason", required=False)
    payload = without_empty(
        order_id=order_id,
        client_order_id=text(given, "orderLinkId", required=False),
        symbol=text(given, "symbol"),
        side=text(given, "side"),
        order_type=text(given, "orderType"),
        quantity=amount(given, "qty"),
        price=_unless_zero(given, "price"),
        fill_quantity=filled,
        fill_price=_unless_zero(given, "avgPrice"),
        status=status,
        exchange="Bybit",
        error_message="" if reason in _NO_ERROR else reason,
        timestamp=at_ms,
    )
    return options.draft(
        account,
        ("bybit", account, "order", order_id, at_ms, status, filled),
        _TYPES[status],
        at_ms,
        payload=payload,
        ordering_key=event_id("bybit", account, order_id),
    )


def _execution(options: VenueOptions, account: str, given: JsonObject) -> Draft:
    kind, number = text(given, "execType"), text(given, "execId")
    at_ms = moment_ms(given.get("execTime"), "data.execTime")
    maker = given.get("isMaker")
    payload = without_empty(
        trade_id=number,
        order_id=text(given, "orderId", required=False),
        symbol=text(given, "symbol"),
        side=text(given, "side", required=False),
        role={True: "MAKER", False: "TAKER"}.get(maker, "") if isinstance(maker, bool) else "",
        price=amount(given, "execPrice"),
        quantity=amount(given, "execQty"),
        fee=_unless_zero(given, "execFee"),
        fee_asset=text(given, "feeCurrency", required=False),
        exchange="Bybit",
        traded_at=at_ms,
    )
    own = f"bybit.execution_{''.join(letter for letter in kind.lower() if letter.isalnum())[:40]}"
    name = ("bybit", account, "execution", number)
    return options.draft(account, name, "TRADE_EXECUTED" if kind in _TRADES else own, at_ms, payload=payload)


def _position(options: VenueOptions, account: str, given: JsonObject) -> Draft:
    """Say how a position stands; that it was opened or closed is more than the message says."""
    symbol, at_ms = text(given, "symbol"), moment_ms(given.get("updatedTime"), "data.updatedTime")
    key = event_id("bybit", account, "position", symbol, text(given, "positionIdx", required=False))
    size, status = amount(given, "size"), text(given, "positionStatus", required=False)
    payload = without_empty(
        symbol=symbol,
        side=_LONG_SHORT.get(text(given, "side", required=False), ""),
        size=size,
        entry_price=_unless_zero(given, "entryPrice"),
        mark_price=_unless_zero(given, "markPrice"),
        leverage=amount(given, "leverage", required=False),
        unrealized_pnl=amount(given, "unrealisedPnl", required=False),
        realized_pnl=amount(given, "curRealisedPnl", required=False),
        liquidation_price=_unless_zero(given, "liqPrice"),
        status="" if status == "Normal" else status,
        exchange="Bybit",
        updated_at=at_ms,
    )
    return options.draft(
        account,
        (key, text(given, "seq", required=False), at_ms, size),
        "POSITION_UPDATED",
        at_ms,
        payload=payload,
        collapse_key=key,
        version=at_ms,
    )


def _unless_zero(given: JsonObject, name: str) -> str:
    digits = amount(given, name, required=False)
    return digits if digits and decimal(digits, name) else ""


_TOPICS: dict[str, Read] = {"order": _order, "execution": _execution, "position": _position}

BYBIT = Normalizer("bybit", "Bybit v5 private streams", _read, check_venue)
