"""Decimals as a locale writes them, digit for digit.

The signs and the places of the separators are CLDR's, by way of Babel. Babel itself formats a number twenty
times slower, and rounds it.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from notifications.rendering.locales import Locale

_DECIMAL = re.compile(r"([+-]?)([0-9]+)(?:\.([0-9]+))?")


class Symbols(NamedTuple):
    decimal: str
    group: str
    plus: str
    minus: str
    primary: int  # digits of the last group
    secondary: int  # digits of every other group: 2 in India


@lru_cache(maxsize=256)
def symbols(locale: Locale) -> Symbols:
    """Return how a locale writes numbers. The digits are 0 to 9 everywhere, as the producer sent them."""
    found, (primary, secondary) = (
        locale.cldr.number_symbols["latn"],
        locale.cldr.decimal_formats[None].grouping,
    )
    return Symbols(
        found["decimal"], found["group"], found["plusSign"], found["minusSign"], primary, secondary
    )


def decimal(text: str, locale: Locale) -> str:
    """Show a plain decimal (`-64250.00`) with its thousands grouped; unchanged if it is none."""
    match = _DECIMAL.fullmatch(text)
    if match is None:
        return text
    sign, integer, fraction = match.groups()
    own = symbols(locale)
    sign = own.plus if sign == "+" else own.minus if sign else ""
    return f"{sign}{_grouped(integer, own)}{own.decimal + fraction if fraction else ''}"


def _grouped(digits: str, own: Symbols) -> str:
    if len(digits) <= own.primary:
        return digits
    if own.primary == own.secondary == 3:  # nearly everywhere
        return f"{int(digits):,}".replace(",", own.group)
    groups, rest = [digits[-own.primary :]], digits[: -own.primary]
    while rest:
        groups.append(rest[-own.secondary :])
        rest = rest[: -own.secondary]
    return own.group.join(reversed(groups))
