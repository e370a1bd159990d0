"""Numbers as a locale writes them, digit for digit.

The signs and their places are CLDR's, by way of Babel. Babel's own formatting rounds, and takes ten times as
long.
"""

from functools import lru_cache
from typing import NamedTuple

from babel.numbers import get_currency_symbol, is_currency

from notifications.rendering.locales import Locale, current
from users.locales import DEFAULT


class Symbols(NamedTuple):
    decimal: str
    group: str
    plus: str
    minus: str
    last_group: int  # digits of the last group
    other_groups: int  # digits of all others: 2 in India
    before_percent: str
    after_percent: str


@lru_cache(maxsize=256)
def symbols(locale: Locale) -> Symbols:
    """Return how a locale writes numbers. The digits are 0 to 9 everywhere, as the producer sent them."""
    cldr = locale.cldr
    signs, percent = cldr.number_symbols["latn"], cldr.percent_formats[None]
    last, others = cldr.decimal_formats[None].grouping
    return Symbols(
        signs["decimal"],
        signs["group"],
        signs["plusSign"],
        signs["minusSign"],
        last,
        others,
        percent.prefix[0],
        percent.suffix[0],
    )


def decimal(sign: str, integer: str, fraction: str = "") -> str:
    """Show the digits of a decimal with its thousands grouped. `sign` is "+", "-" or nothing."""
    own = symbols(current())
    if sign:
        sign = own.plus if sign == "+" else own.minus
    return f"{sign}{_grouped(integer, own)}{own.decimal + fraction if fraction else ''}"


def _grouped(digits: str, own: Symbols) -> str:
    if len(digits) <= own.last_group:
        return digits
    if own.last_group == own.other_groups == 3:  # nearly everywhere
        grouped = f"{int(digits):,}"
        return grouped if own.group == "," else grouped.replace(",", own.group)
    groups, rest = [digits[-own.last_group :]], digits[: -own.last_group]
    while rest:
        groups.append(rest[-own.other_groups :])
        rest = rest[: -own.other_groups]
    return own.group.join(reversed(groups))


def plus() -> str:
    return symbols(current()).plus


def percent(shown: str) -> str:
    """Add the percent sign to a number that is shown: `58,3` is `58,3 %` in German."""
    own = symbols(current())
    return f"{own.before_percent}{shown}{own.after_percent}"


def money(shown: str, currency: str) -> str:
    """Add a currency to an amount that is shown, in its place: `1.234,50 €`, `CHF 1'234.50`, `¥1,234.50`.

    A unit that is none of ISO 4217, as BTC, is behind the amount everywhere, and so are all in `en`.
    """
    locale = current()
    if locale.tag == DEFAULT or not _is_currency(currency):
        return f"{shown} {currency}".strip(" ")
    own = symbols(locale)
    sign = shown[:1] if shown[:1] in (own.plus, own.minus) else ""
    before, after = _around(locale, currency)
    return f"{sign}{before}{shown[len(sign) :]}{after}"


@lru_cache(maxsize=1024)
def _is_currency(code: str) -> bool:
    return len(code) == 3 and code.isalpha() and is_currency(code.upper())


@lru_cache(maxsize=1024)
def _around(locale: Locale, currency: str) -> tuple[str, str]:
    """Return what stands before and after an amount of a currency."""
    pattern = locale.cldr.currency_formats["standard"]
    symbol = get_currency_symbol(currency.upper(), locale.cldr)
    before, after = (part.replace("¤", symbol) for part in (pattern.prefix[0], pattern.suffix[0]))
    is_word = symbol[-1:].isalpha() and before.endswith(symbol)  # a word needs a space: CHF 1, but €1
    return f"{before}\u00a0" if is_word else before, after
