"""Amounts: which fields are some, and how their digits are shown.

Only a field that is known to be an amount gets its thousands grouped. Other digits may be a code, a phone
number or an id, and are shown as they were sent.
"""

import re
from collections.abc import Iterable
from decimal import Decimal

from notifications.rendering.conventions import numbers
from notifications.rendering.locales import current

_NUMBER = re.compile(r"([+-]?)([0-9]{1,40})(?:\.([0-9]{1,40}))?")
_EXPONENT = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?[eE][+-]?[0-9]{1,2}")  # "1E-8", and small floats


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# By event type, or the family of one: the names of docs/wire.md, and what venues call the same.
_OF_TYPES = {
    "order": "quantity qty price stop_price trigger_price fill_price fill_quantity filled_qty avg_price fee",
    "alert": "triggered_price price threshold",
    "position": "size entry_price current_price exit_price mark_price liquidation_price unrealized_pnl"
    " realized_pnl leverage margin",
    "backtest": "total_trades winning_trades losing_trades total_pnl sharpe_ratio",
    "balance": "avail available free balance total frozen locked change delta",
    "trade": "quantity qty price fee",
    "trading_signal": "price target_price stop_loss take_profit",
    "risk_alert": "value current_value threshold limit",
    "portfolio": "total_value value equity cash change daily_pnl unrealized_pnl realized_pnl",
    "market_data": "price last bid ask volume change",
}
_AMOUNTS = {name: _names(fields) for name, fields in _OF_TYPES.items()}

# Decimals that are no amounts: grouped nowhere, but written with the person's own decimal sign.
RATIOS = _names("win_rate max_drawdown confidence change_percent drawdown")

# Nothing costs 0 and nobody fills 0: here a zero is how "none" is written.
_NONE_IF_ZERO = _names(
    "quantity qty size price stop_price trigger_price fill_price fill_quantity filled_qty avg_price"
    " triggered_price entry_price current_price exit_price mark_price liquidation_price target_price"
    " stop_loss take_profit last bid ask leverage"
)
_ZERO = re.compile(r"[+-]?0+(\.0*)?([eE][+-]?[0-9]+)?")
_NO_AMOUNT = frozenset({"null", "none", "nil", "nan", "undefined", "n/a", "-", "--"})


def amounts_of(stems: Iterable[str]) -> frozenset[str]:
    """Return the fields of an event type that are amounts, by the stems of its name, the longest first."""
    return next((_AMOUNTS[stem] for stem in stems if stem in _AMOUNTS), frozenset())


def is_no_amount(name: str, text: str) -> bool:
    """Return whether the text of an amount says that there is none."""
    if text.lower() in _NO_AMOUNT:
        return True
    return name in _NONE_IF_ZERO and _ZERO.fullmatch(text) is not None


def grouped(text: str) -> str:
    """Group the thousands of a decimal, digit for digit: no float, no rounding, no digit dropped."""
    match = _NUMBER.fullmatch(text)
    if match is None and _EXPONENT.fullmatch(text):
        text = f"{Decimal(text):f}"
        match = _NUMBER.fullmatch(text)
    if match is None or (match[2][0] == "0" and len(match[2]) > 1):  # 004512 is a code
        return text
    return numbers.decimal(*match.groups(""))


def ratio(text: str) -> str:
    """Show a ratio such as `0.5837`. English leaves it as it was sent."""
    return text if current().is_english else grouped(text)


def decimal_of(text: str) -> Decimal | None:
    return Decimal(text) if _NUMBER.fullmatch(text) or _EXPONENT.fullmatch(text) else None
