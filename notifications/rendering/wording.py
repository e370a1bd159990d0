"""What wording templates use: a payload of clean strings, and filters that format them.

Producers send any JSON, so everything here is total: a missing value is "", and a filter returns unchanged a
value that it does not understand. White space in a template is layout, in a payload it is content: until the
layout is done, the payload's line ends and runs of spaces are represented by `LINE` and `SPACE`, control
characters that no cleaned payload contains.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, tzinfo
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple

from django import template

register = template.Library()

LINE, SPACE = "\x1e", "\x1f"

# Controls, bidi marks and overrides, invisible operators, lone surrogates; joiners stay, emoji need them.
_UNWANTED = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ufffe\uffff\ud800-\udfff]"
)
_LINE_END = re.compile("\r\n|[\r\n\x0b\x0c\x85\u2028\u2029]")
_SPACES = re.compile(" {2,}")

_NUMBER = re.compile(r"([+-]?)([0-9]{1,40})(\.[0-9]{1,40})?")
_EXPONENT = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?[eE][+-]?[0-9]{1,2}")  # "1E-8", and small floats
_ENUM_VALUE = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_WORD_BREAK = re.compile(r"[_\s]+|(?<=[a-z0-9])(?=[A-Z])")
_TIME_NAME = re.compile(r"(.*_)?(timestamp|time|at|date)(_ms)?|.*(Time|At|Date|Timestamp)(Ms)?")
_REFERENCE_NAME = re.compile(r"(.*_)?(id|ref|key|code|hash|number|no|version|port|year)|.*Id")
_SPELLED = {
    "id": "ID",
    "ml": "ML",
    "rl": "RL",
    "ai": "AI",
    "api": "API",
    "url": "URL",
    "ip": "IP",
}
_SPELLED |= {
    "pnl": "PnL",
    "roi": "ROI",
    "nav": "NAV",
    "otc": "OTC",
    "usd": "USD",
    "kyc": "KYC",
    "rsi": "RSI",
}
_MONTHS = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)
_YEAR_1973_MS, _YEAR_2200_MS = 10**11, 7_258_118_400_000
_MAX_DEPTH, _MAX_LIST, _MAX_ITEMS, _MAX_FIELD_CHARS = 8, 50, 8, 160


class Field(NamedTuple):
    label: str
    value: str


class Payload:
    """A payload for templates: `payload.price` is a clean string, and "" if the field is missing.

    Fields of nested objects are reached by a path (`payload.leg.price`); an object as a whole is shown as
    `price 100, side buy`.
    """

    def __init__(self, raw: Mapping[str, Any], zone: tzinfo) -> None:
        self._raw = raw
        self._zone = zone

    def __getitem__(self, name: str) -> "str | Payload":
        value = self._raw.get(name)
        if type(value) is str:
            return clean(value)
        return Payload(value, self._zone) if isinstance(value, Mapping) else self._show(name, value)

    def __bool__(self) -> bool:
        return bool(self._raw)

    def __str__(self) -> str:
        return ", ".join(f"{field.label.lower()} {field.value}" for field in self.fields(_MAX_ITEMS))

    def pairs(self, name: str) -> str:
        inner = _inside(self._raw.get(name))
        return str(self[name] if inner is None else Payload(inner, self._zone))

    def fields(self, limit: int) -> list[Field]:
        """Return the first `limit` non-empty values, nested ones under dotted labels."""
        return list(islice(self._walk(self._raw, "", 1), limit))

    def _walk(self, values: Mapping[str, Any], prefix: str, depth: int) -> Iterator[Field]:
        for key, value in values.items():
            name = str(key)
            label = f"{prefix}{_label(name)}"
            inner = _inside(value)
            if inner is not None:
                if depth < _MAX_DEPTH:
                    yield from self._walk(inner, f"{label}.", depth + 1)
            elif shown := " ".join(self._show(name, value).split()):
                shown = shown if _REFERENCE_NAME.fullmatch(name) else number(shown)
                yield Field(label, shorten(shown, _MAX_FIELD_CHARS))

    def _show(self, name: str, value: object) -> str:
        match value:
            case None:
                return ""
            case bool():
                return "yes" if value else "no"
            case int() if _YEAR_1973_MS < value < _YEAR_2200_MS and _TIME_NAME.fullmatch(name):
                return local_time(value, self._zone)
            case list():
                shown = [self._show(name, item) for item in value[:_MAX_ITEMS] if _inside(item) is None]
                return ", ".join(text for text in shown if text)
            case _:
                return clean(str(value))


def clean(text: str) -> str:
    """Strip control, bidi and invisible characters, and outer white space."""
    text = text.strip()
    if text.isprintable() and "  " not in text:  # nearly always
        return text
    text = _UNWANTED.sub("", _LINE_END.sub("\n", text)).replace("\t", "    ").strip()
    text = _SPACES.sub(lambda run: SPACE * len(run[0]), text)
    return text.replace("\n", LINE)


def restore_spaces(text: str) -> str:
    """Restore the payload's white space after the layout."""
    return text.replace(LINE, "\n").replace(SPACE, " ")


def local_time(timestamp_ms: int, zone: tzinfo) -> str:
    """Show Unix milliseconds as `14 Nov 2023, 17:13:20 EST`; "" for a time outside 1973 to 2200."""
    if not _YEAR_1973_MS < timestamp_ms < _YEAR_2200_MS:
        return ""
    at = datetime.fromtimestamp(timestamp_ms // 1000, zone)
    name = at.tzname() or ""
    name = f"UTC{name}" if name[:1] in "+-" else name  # zones such as America/Sao_Paulo have no letters
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}, {at:%H:%M:%S} {name}".rstrip()


def sentence(name: str) -> str:
    """Turn a name into a sentence: `ML_MODEL_UPDATED`, `mlModelUpdated` -> "ML model updated"."""
    parts = _WORD_BREAK.split(name.lower() if name.isupper() else name)
    text = " ".join(_SPELLED.get(part.lower(), part.lower()) for part in parts if part)
    return text[:1].upper() + text[1:]


@register.filter
def phrase(value: object, pattern: str) -> str:
    """Insert `value` for `%s` in `pattern`; return "" if there is no value."""
    text = str(value)
    return pattern.replace("%s", text, 1) if text else ""


@register.filter
def number(value: object) -> str:
    """Group the thousands of a decimal string, digit for digit: no float, no rounding."""
    text = str(value)
    match = _NUMBER.fullmatch(text)
    if match is None and _EXPONENT.fullmatch(text):
        text = f"{Decimal(text):f}"
        match = _NUMBER.fullmatch(text)
    return f"{match[1]}{int(match[2]):,}{match[3] or ''}" if match else text


@register.filter
def signed(value: object) -> str:
    """Like `number`, with a plus sign on values above zero."""
    text, exact = number(value), _decimal(value)
    return f"+{text}" if exact is not None and exact > 0 and text[0] != "+" else text


@register.filter
def percent(value: object) -> str:
    """Show a fraction such as `0.583` as `58.3%`, with two decimals at most."""
    exact = _decimal(value)
    if exact is None or abs(exact) > 1_000_000:
        return str(value)
    text = f"{round(exact * 100, 2) + 0:f}"  # + 0: no "-0"
    return (text.rstrip("0").rstrip(".") if "." in text else text) + "%"


@register.filter
def less_than(value: object, other: object) -> bool:
    """Return whether both are decimals and the first is smaller."""
    left, right = _decimal(value), _decimal(other)
    return left is not None and right is not None and left < right


@register.filter
def words(value: object) -> str:
    """Turn an enumeration value into words: `stop_limit` is "Stop limit". Anything else is unchanged."""
    text = str(value)
    return sentence(text) if _ENUM_VALUE.fullmatch(text) else text


@register.filter
def pairs(payload: Payload, name: str) -> str:
    """Show the field `name`, a JSON object or one in a string, as `length 14, source close`."""
    return payload.pairs(name)


@register.filter
def day(value: object) -> str:
    """Keep the date of a shown time: `1 Jan 2024, 00:00:00 UTC` is `1 Jan 2024`."""
    return str(value).partition(",")[0]


@register.filter
def shorten(value: object, limit: int) -> str:
    """Cut to at most `limit` characters, the last one an ellipsis."""
    text = str(value)
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _decimal(value: object) -> Decimal | None:
    text = str(value)
    return Decimal(text) if _NUMBER.fullmatch(text) or _EXPONENT.fullmatch(text) else None


def _label(key: str) -> str:
    """`fill_price` -> "Fill price"; a short key in capitals is a ticker, and is unchanged."""
    text = " ".join(clean(key[:60]).split())
    return text if text.isupper() and "_" not in text else sentence(text) or "Value"


def _inside(value: object) -> Mapping[str, Any] | None:
    """Return the nested object in a value: an object, a list of objects, or an object in a JSON string."""
    match value:
        case Mapping():
            return value
        case list() if any(isinstance(item, Mapping | list) for item in value[:_MAX_LIST]):
            return {str(position): item for position, item in enumerate(value[:_MAX_LIST], start=1)}
        case str() if value.startswith("{") and value.endswith("}"):
            try:
                parsed = json.loads(value)
            except (ValueError, RecursionError):
                return None
            return parsed if isinstance(parsed, dict) else None
        case _:
            return None
