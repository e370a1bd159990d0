"""Values of orders, trades and balances, as venues spell them, in the one form that clients know.

Each function returns None for a missing value (null or ""), and raises `UnusableValue` for one that it does
not understand: that is never passed on, and never replaced by a default.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from notifications.rendering import moments

_SAFE_INTEGER = 2**53 - 1  # JavaScript rounds larger integers
_DECIMAL = re.compile(r"[+-]?(\d{1,60}(\.\d{0,60})?|\.\d{1,60})([eE][+-]?\d{1,3})?", re.ASCII)
_MAX_DIGITS = 60
_INTEGER = re.compile(r"0|-?[1-9]\d{0,15}", re.ASCII)
_WORD_BREAK = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")

_STATES = {
    "NEW": "OPEN PLACED ACCEPTED ACTIVE LIVE CREATED PENDING PENDINGNEW SUBMITTED ACKNOWLEDGED"
    " RESTING WORKING UNTRIGGERED TRIGGERED",
    "PARTIALLY_FILLED": "PARTIALFILLED PARTIALFILL PARTIALLYFILL PARTIAL PARTFILLED PARTLYFILLED"
    " PARTIALLYEXECUTED",
    "FILLED": "FULLYFILLED COMPLETELYFILLED EXECUTED COMPLETE COMPLETED CLOSED",  # CLOSED as in ccxt
    "CANCELED": "CANCELLED CANCEL PARTIALLYCANCELED PARTIALLYCANCELLED PARTIALLYFILLEDCANCELED"
    " PARTIALLYFILLEDCANCELLED MMPCANCELED KILLED DEACTIVATED",
    "REJECTED": "FAILED DENIED ORDERFAILED",
    "EXPIRED": "EXPIREDINMATCH",
}
_SIDES = {"BUY": "B BID", "SELL": "S ASK OFFER"}
_ROLES = {"MAKER": "M", "TAKER": "T"}


class UnusableValue(ValueError):
    """A value that is none of the kind that its field has."""


def _spellings(words: Mapping[str, str]) -> dict[str, str]:
    return {
        spelling: word
        for word, others in words.items()
        for spelling in (word.replace("_", ""), *others.split())
    }


_STATE_OF, _SIDE_OF, _ROLE_OF = map(_spellings, (_STATES, _SIDES, _ROLES))


def first(payload: Mapping[str, Any], *names: str) -> Any:
    """Return the first of these fields that is not missing, or None."""
    return next((payload[name] for name in names if not _is_missing(payload.get(name))), None)


def identifier(value: Any) -> int | str | None:
    """Return an id as text, or as a number if JavaScript can represent it exactly."""
    if _is_missing(value) or value == 0:
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) <= _SAFE_INTEGER:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise UnusableValue("id")
    text = str(value).strip()
    is_exact = _INTEGER.fullmatch(text) is not None and abs(int(text)) <= _SAFE_INTEGER
    return (int(text) or None) if is_exact else text


def name(value: Any) -> str | None:
    """Return a symbol or an asset: text, letter for letter."""
    if _is_missing(value):
        return None
    if not isinstance(value, str):
        raise UnusableValue("name")
    return value.strip()


def amount(value: Any) -> str | None:
    """Return an amount as a plain decimal: `1E-8` is "0.00000001", and zeros at the end stay."""
    if _is_missing(value):
        return None
    text = str(value).strip() if isinstance(value, int | float | str) and not isinstance(value, bool) else ""
    if not _DECIMAL.fullmatch(text):
        raise UnusableValue("amount")
    exact = Decimal(text)
    plain = f"{abs(exact):f}" if abs(exact.adjusted()) <= _MAX_DIGITS else ""
    if not plain or len(plain) > 2 * _MAX_DIGITS:
        raise UnusableValue("amount")
    return f"-{plain}" if exact < 0 else plain


def state(value: Any) -> str | None:
    """Return the state of an order, in one of six words."""
    return _word(value, _STATE_OF)


def side(value: Any) -> str | None:
    return _word(value, _SIDE_OF)


def role(value: Any) -> str | None:
    return _word(value, _ROLE_OF)


def unix_ms(value: Any) -> int | None:
    """Return a moment in Unix milliseconds; None if there is none, or none that can be understood."""
    at = None if moments.is_no_time(value) else moments.unix_ms(value)
    if at is not None or not isinstance(value, str):
        return at
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return round(moment.timestamp() * 1000) if moment.tzinfo and moment.year > 1 else None


def _word(value: Any, words: Mapping[str, str]) -> str | None:
    if _is_missing(value):
        return None
    spelling = "".join(_WORD_BREAK.split(value)).upper() if isinstance(value, str) else ""
    if spelling not in words:
        raise UnusableValue("word")
    return words[spelling]


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
