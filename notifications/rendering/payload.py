"""A payload as templates see it: clean strings, in the producer's order.

Nothing here changes a letter or a digit of a value, with two exceptions: moments become times in the person's
zone, and amounts get their thousands grouped. `moments` and `amounts` say which fields these are.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import Any, ClassVar, NamedTuple

from notifications.rendering import amounts, moments, vocabulary
from notifications.rendering.conventions.dates import local_time
from notifications.rendering.lengths import shorten
from notifications.rendering.locales import gettext, ngettext
from notifications.rendering.vocabulary import sentence, spoken

LINE, SPACE = "\x1e", "\x1f"

# Controls, bidi marks and overrides, invisible operators, lone surrogates; joiners stay, emoji need them.
_UNWANTED = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ufffe\uffff\ud800-\udfff]"
)
_LINE_END = re.compile("\r\n|[\r\n\x0b\x0c\x85\u2028\u2029]")
_SPACES = re.compile(" {2,}")

_IDENTIFIER = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]*|[A-Z][a-z0-9]*)*")
_MAX_DEPTH, _MAX_ITEMS, _MAX_COUNTED = 20, 8, 300
_VALUE_CHARS, _FIELD_CHARS, _LIST_CHARS, _LABEL_CHARS = 1_500, 160, 2_400, 60

_SIMULATION_NAME = re.compile(
    r"(is_)?(dry_?run|simulated|simulation|paper|paper_trad(e|ing)|test|testnet|sandbox|demo)"
)
_MODE_NAMES = frozenset({"mode", "trading_mode", "execution_mode", "account_type"})


class Field(NamedTuple):
    label: str
    value: str


@dataclass(frozen=True, slots=True)
class View:
    """For whom a payload is shown, and how much of it."""

    zone: tzinfo
    amounts: frozenset[str] = frozenset()  # the fields that are amounts; those of nested objects never are
    whole: bool = False  # nothing is shortened


class Payload:
    """A payload for templates: `payload.price` is a clean string, and "" if there is no value.

    Fields of nested objects are reached by a path (`payload.leg.price`); an object as a whole is shown as
    `price 100, side buy`.
    """

    # Python would take `payload[0]`, `payload[1]` … for items, and "" is no end of them.
    __iter__: ClassVar[None] = None

    def __init__(self, raw: Mapping[str, Any], view: View) -> None:
        self._raw = raw
        self._view = view

    def __getitem__(self, name: str) -> "str | Payload":
        value = self._raw.get(name)
        if value is None:
            return ""
        if type(value) is not str and isinstance(value, Mapping):
            return Payload(value, replace(self._view, amounts=frozenset()))
        return self._fitted(self._show(name, value), _VALUE_CHARS)

    def __contains__(self, name: object) -> bool:
        return name in self._raw

    def __bool__(self) -> bool:
        return bool(self._raw)

    def __str__(self) -> str:
        limit = None if self._view.whole else _MAX_ITEMS
        walk = self._walk(self._raw, _inner_label)
        texts = [f"{label} {self._fitted(value, _FIELD_CHARS)}" for label, value in islice(walk, limit)]
        return _listed([*texts, "…"] if next(walk, None) else texts)

    def pairs(self, name: str) -> str:
        inner = _inside(self._raw.get(name))
        return str(self[name] if inner is None else Payload(inner, replace(self._view, amounts=frozenset())))

    def items_of(self, name: str) -> "list[Payload | str]":
        """Return the items of a list, for a loop; of a single value, a list of one; none of none."""
        value = self._raw.get(name)
        if not isinstance(value, list):
            shown = self[name]
            return [shown] if shown else []
        inner = replace(self._view, amounts=frozenset())
        return [
            Payload(item, inner) if isinstance(item, Mapping) else self._show_plain(name, item)
            for item in value
        ]

    def fields(self, limit: int) -> list[Field]:
        """Return the first `limit` values, nested ones under dotted labels, and how many are left out."""
        found = list(islice(self._walk(self._raw, _label), limit + _MAX_COUNTED))
        shown, more = found[:limit], len(found) - limit
        longest = max(_FIELD_CHARS, min(_VALUE_CHARS, _LIST_CHARS // max(1, len(shown))))
        fields = [
            Field(self._fitted(label, _FIELD_CHARS), self._fitted(value, longest)) for label, value in shown
        ]
        if more > 0:
            fields.append(Field(gettext("Not shown here"), _count_of_more(more)))
        return fields

    def is_simulated(self) -> bool:
        """Return whether the payload says that nothing of this happened for real."""
        return any(
            _is_true(value) if role == "flag" else _role(str(value)[:40]) == "flag"
            for name, value in self._raw.items()
            if (role := _role(name))
        )

    def _walk(
        self, values: Mapping[str, Any], name: Callable[[str], str], prefix: str = "", depth: int = 1
    ) -> Iterator[Field]:
        for key, value in values.items():
            label = f"{prefix}{name(str(key))}"
            inner = _inside(value)
            if inner is not None and depth < _MAX_DEPTH:
                yield from self._walk(inner, name, f"{label}.", depth + 1)
            elif inner is not None:
                yield Field(label, "…")
            elif shown := " ".join(self._show_at(depth, str(key), value).split()):
                yield Field(label, shown)

    def _show_at(self, depth: int, name: str, value: object) -> str:
        if type(value) is str and vocabulary.has_values(name) and (word := vocabulary.value(value)):
            return word
        if depth == 1 and name in amounts.RATIOS:
            return amounts.ratio(self._show_plain(name, value))
        if depth > 1 or name not in self._view.amounts:
            return self._show_plain(name, value)
        return amounts.grouped(self._show(name, value))

    def _show(self, name: str, value: object) -> str:
        """Show the value of a field of the payload itself; "" if it stands for none."""
        text = self._show_plain(name, value)
        return "" if name in self._view.amounts and amounts.is_no_amount(name, text) else text

    def _show_plain(self, name: str, value: object) -> str:
        if isinstance(value, list):
            return self._show_list(name, value)
        unit = moments.time_unit(name)
        if unit is None:
            return _text(value)
        if moments.is_no_time(value):
            return ""
        at = moments.unix_ms(value, unit)
        return _text(value) if at is None else local_time(at, self._view.zone)

    def _show_list(self, name: str, values: list[Any]) -> str:
        shown = (self._show_plain(name, item) for item in values if _inside(item) is None)
        texts = [text for text in shown if text]
        if self._view.whole or len(texts) <= _MAX_ITEMS:
            return _listed(texts)
        listed, more = _listed(texts[:_MAX_ITEMS]), len(texts) - _MAX_ITEMS
        return ngettext("%(listed)s and %(more)d more", "%(listed)s and %(more)d more", more) % {
            "listed": listed,
            "more": more,
        }

    def _fitted(self, text: str, limit: int) -> str:
        return text if len(text) <= limit or self._view.whole else shorten(text, limit)


def _listed(texts: list[str]) -> str:
    # For translators: between the items of a list.
    return gettext(", ").join(texts)


def _count_of_more(count: int) -> str:
    if count < _MAX_COUNTED:
        return ngettext("%(count)d more value", "%(count)d more values", count) % {"count": count}
    return gettext("%(count)d or more values") % {"count": count}


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


def _text(value: object) -> str:
    """Show a scalar; a float as a plain decimal, not as `1e-08`."""
    if type(value) is str:  # nearly always
        return clean(value)
    match value:
        case None:
            return ""
        case bool():
            return gettext("yes") if value else gettext("no")
        case float():
            exact = Decimal(repr(value))
            return f"{exact:f}" if exact.is_finite() else ""
        case _:
            return clean(str(value))


def _label(key: str) -> str:
    """`fill_price` -> "Fill price"; a key that is no identifier is a symbol or a name, and is unchanged."""
    text = _one_line(key)
    if not _IDENTIFIER.fullmatch(text):
        return text
    return vocabulary.label(text) or sentence(text)


def _inner_label(key: str) -> str:
    """Like `_label`, inside a sentence."""
    text = _one_line(key)
    if not _IDENTIFIER.fullmatch(text):
        return text
    return vocabulary.label(text) or spoken(text)


def _one_line(key: str) -> str:
    return " ".join(restore_spaces(clean(shorten(key, _LABEL_CHARS))).split()) or gettext("Value")


@lru_cache(maxsize=4096)
def _role(name: str) -> str:
    """Return whether a field (or the value of a mode) is the "flag" of a simulation, or a "mode"."""
    parts = re.split(r"[\W_]+|(?<=[a-z0-9])(?=[A-Z])", name)
    name = "_".join(part.lower() for part in parts if part)
    return "flag" if _SIMULATION_NAME.fullmatch(name) else "mode" if name in _MODE_NAMES else ""


def _is_true(value: object) -> bool:
    return str(value).strip().lower() in {"true", "yes", "1"}


def _inside(value: object) -> Mapping[str, Any] | None:
    """Return the nested object in a value: an object, a list of objects, or an object in a JSON string."""
    match value:
        case Mapping():
            return value
        case list() if any(isinstance(item, Mapping | list) for item in value):
            return {str(position): item for position, item in enumerate(value, start=1)}
        case str() if value.startswith("{") and value.endswith("}"):
            try:
                parsed = json.loads(value)
            except (ValueError, RecursionError):
                return None
            return parsed if isinstance(parsed, dict) else None
        case _:
            return None
