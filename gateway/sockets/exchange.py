"""The sub-protocol `tocsin.exchange.v1`: frames in the format that trading clients know.

Events of orders, trades and balances become `order.update`, `trade` and `balance.update`; of all other
frames only those that concern the connection pass. The translation happens here alone.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.sockets import venue_values as values

log = logging.getLogger(__name__)

SUBPROTOCOL = "tocsin.exchange.v1"

_PASSES = frozenset({"ready", "pong", "error", "shutdown", "auth.renewed", "subscribed"})

# The status by event type; for other event types the payload has it.
_ORDER_STATUS = {
    "ORDER_PLACED": "NEW",
    "ORDER_FILLED": "FILLED",
    "ORDER_CANCELLED": "CANCELED",
    "ORDER_REJECTED": "REJECTED",
    "ORDER_EXPIRED": "EXPIRED",
}
_ORDER_STATUS_WITHOUT_PAYLOAD = {"ORDER_EXECUTED": "FILLED", "ORDER_UPDATED": "PARTIALLY_FILLED"}

Json = Mapping[str, Any]


class UnknownSubprotocol(Exception):
    """The server knows none of the sub-protocols that the client offers."""


def chosen(offered: Sequence[str]) -> str | None:
    """Return the sub-protocol to use; None: the client offered none. Raises: `UnknownSubprotocol`."""
    if not offered:
        return None
    if SUBPROTOCOL in offered:
        return SUBPROTOCOL
    raise UnknownSubprotocol


def encode(frame: bytes) -> bytes | None:
    """Return the frame translated into the sub-protocol; None: the client gets nothing for it."""
    text = translated(frame.decode())
    return None if text is None else text.encode()


def translated(text: str) -> str | None:
    """Return one of our frames translated into the sub-protocol; None: the client gets nothing for it."""
    frame = json.loads(text)
    kind = frame["type"]
    if kind in _PASSES:
        return text
    translate = _TRANSLATIONS.get(frame["event_type"]) if kind == "event" else None
    if translate is None:
        return None
    try:
        name, data = translate(frame)
    except values.UnusableValue as error:
        log.warning("exchange_value_unusable", extra={"event_id": frame["event_id"], "kind": str(error)})
        return None
    if not all(value is not None for value in data.values()):
        log.warning("exchange_frame_incomplete", extra={"event_id": frame["event_id"], "type": name})
        return None
    # Only a stored event can be confirmed; an INFORMATIONAL one is sent as data alone.
    stored = {
        key: frame[key] for key in ("event_id", "source", "seq", "ack_by") if key in frame and "seq" in frame
    }
    return json.dumps({"type": name, "data": data, **stored}, separators=(",", ":"), ensure_ascii=False)


def _order(frame: Json) -> tuple[str, dict[str, Any]]:
    payload = frame["payload"]
    updated_at = values.unix_ms(payload.get("updated_at")) or values.unix_ms(payload.get("timestamp"))
    return "order.update", {
        "order_id": values.identifier(payload.get("order_id")),
        "symbol": values.name(payload.get("symbol")),
        "status": _status(frame["event_type"], payload.get("status")),
        "filled_qty": values.amount(values.first(payload, "filled_qty", "fill_quantity")) or "0",
        "avg_price": values.amount(values.first(payload, "avg_price", "fill_price")) or "0",
        "updated_at": updated_at or frame["timestamp"],
    }


def _status(event_type: str, given: object) -> str:
    if event_type in _ORDER_STATUS:
        return _ORDER_STATUS[event_type]
    return values.state(given) or _ORDER_STATUS_WITHOUT_PAYLOAD[event_type]


def _trade(frame: Json) -> tuple[str, dict[str, Any]]:
    payload = frame["payload"]
    return "trade", {
        "trade_id": values.identifier(payload.get("trade_id")),
        "order_id": values.identifier(payload.get("order_id")),
        "symbol": values.name(payload.get("symbol")),
        "side": values.side(payload.get("side")),
        "role": values.role(payload.get("role")),
        "traded_at": values.unix_ms(payload.get("traded_at")) or frame["timestamp"],
    }


def _balance(frame: Json) -> tuple[str, dict[str, Any]]:
    payload = frame["payload"]
    return "balance.update", {
        "asset": values.name(payload.get("asset")),
        "avail": values.amount(payload.get("avail")),
        "frozen": values.amount(payload.get("frozen")) or "0",
    }


_TRANSLATIONS: dict[str, Callable[[Json], tuple[str, dict[str, Any]]]] = {
    **dict.fromkeys((*_ORDER_STATUS, *_ORDER_STATUS_WITHOUT_PAYLOAD), _order),
    "TRADE_EXECUTED": _trade,
    "BALANCE_UPDATED": _balance,
}
