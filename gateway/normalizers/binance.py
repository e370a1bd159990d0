"""Binance's user data stream, spot: orders and balances of one account, message by message.

https://developers.binance.com/docs/binance-spot-api-docs/user-data-stream
"""

from gateway.normalizers.base import Draft, JsonObject, Normalizer, Received, event_id, not_understood
from gateway.normalizers.values import amount, decimal, moment_ms, objects, parse_object, text, without_empty
from gateway.normalizers.venues import VenueOptions, check_venue

_TYPES = {
    "NEW": "ORDER_PLACED",
    "PARTIALLY_FILLED": "ORDER_UPDATED",
    "FILLED": "ORDER_FILLED",
    "CANCELED": "ORDER_CANCELLED",
    "REJECTED": "ORDER_REJECTED",
    "EXPIRED": "ORDER_EXPIRED",
    "EXPIRED_IN_MATCH": "ORDER_EXPIRED",
    "PENDING_NEW": "ORDER_UPDATED",
}
# Executions that leave an order open, and are news all the same.
_UPDATES = frozenset({"REPLACED", "TRADE_PREVENTION"})
_OF_NOBODY = frozenset({"listStatus", "eventStreamTerminated", "listenKeyExpired"})


def _read(received: Received) -> list[Draft]:
    options: VenueOptions = received.options
    body = parse_object(received.body)
    inner = body.get("event") or body.get("data")
    message = inner if isinstance(inner, dict) else body
    kind = text(message, "e")
    if kind in _OF_NOBODY:
        return []
    account = options.account_of(received)
    match kind:
        case "executionReport":
            return [_order(options, account, message)]
        case "outboundAccountPosition":
            return [_balance(options, account, message, one) for one in objects(message, "B")]
        case "balanceUpdate":
            return [_delta(options, account, message)]
    raise not_understood(f"There is no rule for {kind[:60]}.", "e")


def _order(options: VenueOptions, account: str, given: JsonObject) -> Draft:
    execution, status = text(given, "x"), text(given, "X")
    if status not in _TYPES:
        raise not_understood(f"There is no rule for the status {status[:40]}.", "X")
    kind = "ORDER_UPDATED" if execution in _UPDATES and status == "NEW" else _TYPES[status]
    order_id, symbol, at_ms = text(given, "i"), text(given, "s"), moment_ms(given.get("T"), "T")
    number = text(given, "I", required=False) or f"{execution}-{status}-{at_ms}"
    return options.draft(
        account,
        ("binance", account, "order", symbol, order_id, number),
        kind,
        at_ms,
        payload=_order_payload(given, status, at_ms),
        ordering_key=event_id("binance", account, symbol, order_id),
    )


def _order_payload(given: JsonObject, status: str, at_ms: int) -> JsonObject:
    reason = text(given, "r", required=False)
    trade = without_empty(
        trade_id=text(given, "t", required=False),
        last_quantity=amount(given, "l", required=False),
        last_price=amount(given, "L", required=False),
        fee=amount(given, "n", required=False),
        fee_asset=text(given, "N", required=False),
    )
    return without_empty(
        order_id=text(given, "i"),
        client_order_id=text(given, "c", required=False),
        symbol=text(given, "s"),
        side=text(given, "S"),
        order_type=text(given, "o"),
        quantity=amount(given, "q"),
        price=_unless_zero(given, "p"),
        stop_price=_unless_zero(given, "P"),
        fill_quantity=_unless_zero(given, "z"),
        fill_price=_average(given),
        status=status,
        exchange="Binance",
        error_message="" if reason == "NONE" else reason,
        timestamp=at_ms,
        **(trade if text(given, "x") == "TRADE" else {}),
    )


def _unless_zero(given: JsonObject, name: str) -> str:
    digits = amount(given, name, required=False)
    return digits if digits and decimal(digits, name) else ""


def _average(given: JsonObject) -> str:
    """Return the average price where it is in the message: after one execution, it is that one's."""
    executed, last, price = (amount(given, name, required=False) for name in ("z", "l", "L"))
    if not executed or not last or not price or not decimal(last, "l"):
        return ""
    return price if decimal(executed, "z") == decimal(last, "l") else ""


def _balance(options: VenueOptions, account: str, message: JsonObject, one: JsonObject) -> Draft:
    asset, at_ms = text(one, "a"), moment_ms(message.get("u"), "u")
    payload = {"asset": asset, "avail": amount(one, "f"), "frozen": amount(one, "l"), "updated_at": at_ms}
    return options.draft(
        account,
        ("binance", account, "balance", asset, at_ms),
        "BALANCE_UPDATED",
        at_ms,
        payload={**payload, "exchange": "Binance"},
        collapse_key=event_id("binance", account, "balance", asset),
        version=at_ms,
    )


def _delta(options: VenueOptions, account: str, message: JsonObject) -> Draft:
    asset, delta, at_ms = text(message, "a"), amount(message, "d"), moment_ms(message.get("T"), "T")
    return options.draft(
        account,
        ("binance", account, "delta", asset, at_ms, delta),
        "BALANCE_UPDATED",
        at_ms,
        payload={"asset": asset, "delta": delta, "updated_at": at_ms, "exchange": "Binance"},
    )


BINANCE = Normalizer("binance", "Binance user data stream", _read, check_venue)
