"""What wording templates use: a payload of clean strings, and filters that format them.

Producers send any JSON, so everything here is total: a missing value is "", and a filter returns unchanged a
value that it does not understand. White space in a template is layout, in a payload it is content: until the
layout is done, the payload's line ends and runs of spaces are represented by `LINE` and `SPACE`, control
characters that no cleaned payload contains.
"""

import re
from decimal import Decimal
from typing import Any

from django import template
from django.template import Context, Node, Variable, defaulttags
from django.template.base import FilterExpression, Parser, Token

from notifications.rendering import amounts, vocabulary
from notifications.rendering.conventions import dates, numbers, plurals
from notifications.rendering.locales import gettext
from notifications.rendering.payload import Payload
from notifications.rendering.vocabulary import sentence

register = template.Library()

# Values with a fixed meaning, which may be spelled as words of a sentence. All others keep their letters.
_KNOWN_WORDS = re.compile(
    "market|limit|stop|stop_limit|stop_market|stop_loss|take_profit|trailing_stop|post_only|maker|taker"
    "|new|open|filled|partially_filled|cancell?ed|rejected|expired|pending|failed"
)
_SIDES = frozenset({"buy", "sell", "long", "short", "hold"})
_SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")


@register.filter
def phrase(value: object, pattern: str) -> str:
    """Insert `value` for `%s` in `pattern`; return "" if there is no value."""
    text = str(value)
    return pattern.replace("%s", text, 1) if text else ""


@register.filter
def translated(sentence: object) -> str:
    """Show a fixed sentence of a layout in the person's language, as the catalogue has it."""
    return gettext(str(sentence))


@register.filter
def number(value: object) -> str:
    """Group the thousands of an amount, digit for digit: no float, no rounding."""
    return amounts.grouped(str(value))


@register.filter
def signed(value: object) -> str:
    """Like `number`, with a plus sign on values above zero."""
    text, exact = number(value), amounts.decimal_of(str(value))
    if exact is None or exact <= 0 or str(value)[0] == "+":
        return text
    return numbers.plus() + text


@register.filter
def percent(value: object) -> str:
    """Show a fraction such as `0.583` as `58.3%`, with two decimals at most. Above 1 it is no fraction."""
    exact = amounts.decimal_of(str(value))
    if exact is None or abs(exact) > 1:
        return str(value)
    text = f"{round(exact * 100, 2) + Decimal(0):f}"  # + 0: no "-0"
    return numbers.percent(amounts.grouped(text.rstrip("0").rstrip(".") if "." in text else text))


@register.filter
def in_percent(value: object) -> str:
    """Add the percent sign to a number that is one already: `1.5` is `1.5%`."""
    text = str(value)
    return numbers.percent(text) if text else ""


@register.filter
def money(value: object, currency: object) -> str:
    """Show an amount with its currency, in the place that the person's locale has for it: `$1,234.50`."""
    text = number(value)
    return numbers.money(text, str(currency)) if text else ""


@register.filter
def plural(value: object, forms: str) -> str:
    """Show a number with the form of a word that fits it, and "" if there is none.

    Example: `{{ payload.count|plural:"%s Trade|%s Trades" }}`. The forms are those of the language in CLDR's
    order: zero, one, two, few, many, other.
    """
    exact = amounts.decimal_of(str(value))
    return "" if exact is None else plurals.form(exact, forms.split("|")).replace("%s", number(value), 1)


@register.filter
def less_than(value: object, other: object) -> bool:
    """Return whether both are decimals and the first is smaller."""
    left, right = amounts.decimal_of(str(value)), amounts.decimal_of(str(other))
    return left is not None and right is not None and left < right


@register.filter
def words(value: object) -> str:
    """Show an enumeration value: `STOP_LIMIT` is "Stop limit", `max_drawdown` is "max drawdown".

    A value that may be a name, as `VaR` or `BTC_USDT`, is unchanged.
    """
    text = str(value)
    if word := vocabulary.value(text):
        return word
    if _KNOWN_WORDS.fullmatch(text.lower()):
        return sentence(text)
    return text.replace("_", " ") if _SNAKE_CASE.fullmatch(text) else text


@register.filter
def side(value: object) -> str:
    """Show the side of an order or a position in capitals: `buy` is "BUY". Another word is unchanged."""
    text = str(value)
    if text.lower() not in _SIDES:
        return text
    return vocabulary.value(text) or text.upper()


@register.filter
def partial(status: object) -> bool:
    """Return whether a status says that an order is only partly filled, in any spelling."""
    return "part" in str(status).lower() and "fill" in str(status).lower()


@register.filter
def pairs(payload: Payload, name: str) -> str:
    """Show the field `name`, a JSON object or one in a string, as `length 14, source close`."""
    return payload.pairs(name)


@register.filter
def day(value: object) -> str:
    """Keep the date of a shown time: `1 Jan 2024, 00:00:00 UTC` is `1 Jan 2024`."""
    return dates.date_of(str(value))


class _Items:
    """What a loop goes over: of a payload the items of a list, as they are in stored templates."""

    def __init__(self, expression: FilterExpression) -> None:
        self._expression = expression

    def resolve(self, context: Context, ignore_failures: bool = True) -> Any:
        variable = self._expression.var
        if isinstance(variable, Variable) and variable.lookups and not self._expression.filters:
            *outer, last = variable.lookups
            holder = Variable(".".join(outer)).resolve(context) if outer else None
            if isinstance(holder, Payload):
                return holder.items_of(last)
        return self._expression.resolve(context, ignore_failures=ignore_failures)


@register.tag("for")
def for_items(parser: Parser, token: Token) -> Node:
    """Compile Django's `for`, which also goes over a list of objects: `{% for leg in payload.legs %}`."""
    node = defaulttags.do_for(parser, token)
    node.sequence = _Items(node.sequence)  # type: ignore[arg-type,assignment]
    return node
