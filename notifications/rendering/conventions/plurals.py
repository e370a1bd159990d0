"""The plural forms of words, by CLDR's rules for the language."""

from decimal import Decimal

from notifications.rendering.locales import current

_ORDER = ("zero", "one", "two", "few", "many", "other")


def form(count: Decimal, forms: list[str]) -> str:
    """Return the form for a number, of those that the language has, in CLDR's order; else the last one."""
    rule = current().cldr.plural_form
    kinds = [kind for kind in _ORDER if kind in rule.tags or kind == "other"]
    return dict(zip(kinds, forms, strict=False)).get(rule(count), forms[-1])
