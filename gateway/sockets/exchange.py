"""The sub-protocol `tocsin.exchange.v1`: frames in the format that trading clients know.

Events of orders, trades and balances become `order.update`, `trade` and `balance.update`; of all other
frames only those that concern the connection pass. The translation happens here alone.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

log = logging.getLogger(__name__)

SUBPROTOCOL = "tocsin.exchange.v1"

_PASSES = frozenset({"ready", "pong", "error", "shutdown", "auth.renewed", "subscribed"})
_SAFE_INTEGER = 2**53 - 1  # JavaScript rounds larger integers

# The status by event type; for other event types the payload has it.
_ORDER_STATUS = {
    "ORDER_PLACED": "NEW",
    "ORDER_FILLED": "FILLED",
    "ORDER_CANCELLED": "CANCELED",
    "ORDER_REJECTED": "REJECTED",
    "ORDER_EXPIRED": "EXPIRED",
}
_ORDER_STATUS_WITHOUT_PAYLOAD = {"ORDER_EXECUTED": "FILLED", "ORDER_UPDATED": "PARTIALLY_FILLED"}
_SPELLED = {"OPEN": "NEW", "CANCELLED": "CANCELED"}

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
    name, data = translate(frame)
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
    return "order.update", {
        "order_id": _id(payload.get("order_id")),
        "symbol": payload.get("symbol"),
        "status": _status(frame["event_type"], payload.get("status")),
        "filled_qty": _decimal(payload.get("filled_qty", payload.get("fill_quantity")) or "0"),
        "avg_price": _decimal(payload.get("avg_price", payload.get("fill_price")) or "0"),
        "updated_at": payload.get("updated_at") or payload.get("timestamp") or frame["timestamp"],
    }


def _status(event_type: str, given: object) -> str:
    if event_type in _ORDER_STATUS:
        return _ORDER_STATUS[event_type]
    name = str(given or _ORDER_STATUS_WITHOUT_PAYLOAD[event_type]).upper()
    return _SPELLED.get(name, name)


def _trade(frame: Json) -> tuple[str, dict[str, Any]]:
    payload = frame["payload"]
    return "trade", {
        "trade_id": _id(payload.get("trade_id")),
        "order_id": _id(payload.get("order_id")),
        "symbol": payload.get("symbol"),
        "side": _upper(payload.get("side")),
        "role": _upper(payload.get("role")),
        "traded_at": payload.get("traded_at") or frame["timestamp"],
    }


def _balance(frame: Json) -> tuple[str, dict[str, Any]]:
    payload = frame["payload"]
    return "balance.update", {
        "asset": payload.get("asset"),
        "avail": _decimal(payload.get("avail")),
        "frozen": _decimal(payload.get("frozen", "0")),
    }


_TRANSLATIONS: dict[str, Callable[[Json], tuple[str, dict[str, Any]]]] = {
    **dict.fromkeys((*_ORDER_STATUS, *_ORDER_STATUS_WITHOUT_PAYLOAD), _order),
    "TRADE_EXECUTED": _trade,
    "BALANCE_UPDATED": _balance,
}


def _id(value: object) -> object:
    """Return a numeric id as a number, as these clients expect, if JavaScript can represent it exactly."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and str(int(value[:20])) == value:
        return int(value) if int(value) <= _SAFE_INTEGER else value
    return value or None


def _decimal(value: object) -> str | None:
    return None if value is None else str(value)


def _upper(value: object) -> str | None:
    return str(value).upper() if value else None
