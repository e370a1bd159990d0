"""Trades as an exchange's settlement writes them: one trade tells its buyer and its seller.

Whether an order is filled is what the trade says of its quantities; without them nothing is said of it.
"""

from gateway.normalizers.base import Draft, JsonObject, Normalizer, Received, event_id, not_understood
from gateway.normalizers.values import amount, decimal, moment_ms, parse_object, text, without_empty
from gateway.normalizers.venues import VenueOptions, check_venue

_SIDES = {"BUY": "buyer", "SELL": "seller"}
_TIMES = ("traded_at", "timestamp", "ts")


def _read(received: Received) -> list[Draft]:
    options: VenueOptions = received.options
    body = parse_object(received.body)
    trade = body.get("trade")
    given = {**body, **trade} if isinstance(trade, dict) else body
    taker_side = text(given, "taker_side").upper()
    if taker_side not in _SIDES:
        raise not_understood("taker_side is BUY or SELL.", "taker_side")
    at_ms = moment_ms(next((given[name] for name in _TIMES if given.get(name)), None), "traded_at")
    drafts = []
    for side in _SIDES:
        role = "TAKER" if side == taker_side else "MAKER"
        drafts += _of_party(options, given, side, role, at_ms)
    return drafts


def _of_party(options: VenueOptions, given: JsonObject, side: str, role: str, at_ms: int) -> list[Draft]:
    party = _SIDES[side]
    account, order_id = text(given, f"{party}_user_id"), text(given, f"{party}_order_id")
    trade_id, symbol = text(given, "trade_id"), text(given, "symbol")
    shared = {"order_id": order_id, "symbol": symbol, "side": side}
    trade = without_empty(
        trade_id=trade_id,
        **shared,
        role=role,
        price=amount(given, "price"),
        quantity=amount(given, "qty"),
        traded_at=at_ms,
    )
    more = {"ordering_key": event_id("order", order_id), "correlation_id": event_id("trade", trade_id)}
    drafts = [
        options.draft(account, ("trade", trade_id, side), "TRADE_EXECUTED", at_ms, payload=trade, **more)
    ]
    filled = amount(given, f"{role.lower()}_filled_qty", required=False)
    ordered = amount(given, f"{role.lower()}_order_qty", required=False)
    if filled and ordered:
        kind, status = _status(filled, ordered, role)
        order = {**shared, "quantity": ordered, "fill_quantity": filled, "status": status, "timestamp": at_ms}
        name = ("order", order_id, "trade", trade_id)
        drafts.append(options.draft(account, name, kind, at_ms, payload=order, **more))
    return drafts


def _status(filled: str, ordered: str, role: str) -> tuple[str, str]:
    """Return the event type and the status of an order by how much of it is executed."""
    done, wanted = decimal(filled, "filled_qty"), decimal(ordered, "order_qty")
    if not 0 < done <= wanted:
        name = f"{role.lower()}_filled_qty"
        raise not_understood(f"{name} is not more than 0 and at most the order's quantity.", name)
    return ("ORDER_FILLED", "FILLED") if done == wanted else ("ORDER_UPDATED", "PARTIALLY_FILLED")


SETTLEMENT = Normalizer("settlement", "Trades of a settlement", _read, check_venue)
