"""Locales of persons, as BCP 47 writes them: a language, and optionally its script and its region."""

import re
from functools import cache, lru_cache

from babel import Locale
from babel.core import get_global
from babel.localedata import exists
from django.core.exceptions import ValidationError

DEFAULT = "en"

_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})(?:[-_](?P<script>[a-z]{4}))?(?:[-_](?P<region>[a-z]{2}|[0-9]{3}))?",
    re.IGNORECASE,
)
_NO_LANGUAGES = frozenset({"und", "mul", "zxx"})  # undetermined, several, none


def gettext_noop(sentence: str) -> str:
    """Mark a sentence that is translated where it is shown, for the catalogues."""
    return sentence


@lru_cache(maxsize=1024)
def canonical_locale(text: str) -> str:
    """Return a locale in its usual spelling: `pt_BR` -> "pt-BR", `ZH-hans` -> "zh-Hans".

    A region without conventions of its own in a language, as in `de-US`, is fine.

    Raises: `ValidationError` with the code `unknown_locale` if CLDR does not know one of the parts.
    """
    tag = _TAG.fullmatch(text.strip())
    if tag is None or not _is_known(tag):
        raise ValidationError(
            "Use a language of BCP 47, optionally with a script and a region, such as de, de-CH or zh-Hans.",
            code="unknown_locale",
        )
    parts = (_language(tag), (tag["script"] or "").title(), (tag["region"] or "").upper())
    return "-".join(part for part in parts if part)


def _language(tag: re.Match[str]) -> str:
    language = tag["language"].lower()
    return str(get_global("language_aliases").get(language, language))  # `iw` is an old code of `he`


def _is_known(tag: re.Match[str]) -> bool:
    names, script, region = _names(), tag["script"], tag["region"]
    language = _language(tag)
    return (
        (language in names.languages or exists(language))
        and language not in _NO_LANGUAGES
        and (not script or script.title() in names.scripts)
        and (not region or region.upper() in names.territories)
    )


@cache
def _names() -> Locale:
    return Locale(DEFAULT)


@lru_cache(maxsize=1024)
def fallbacks(text: str) -> tuple[str, ...]:
    """Return the locales to try for a person, from their own to English: `de-CH` -> de-CH, de, en.

    A language in another script than its usual one does not fall back to that script, as in CLDR: who reads
    Traditional Chinese gets English rather than Simplified Chinese. Total: any text has an answer.
    """
    try:
        tag = canonical_locale(text)
    except ValidationError:  # from before locales were checked, as `de_DE.UTF-8`
        tag = _language_alone(text)
    chain = []
    while tag:
        chain.append(tag)
        tag = _parent(tag)
    return (*chain, *(() if DEFAULT in chain else (DEFAULT,)))


def _language_alone(text: str) -> str:
    try:
        return canonical_locale(re.split("[^A-Za-z]", text.strip(), maxsplit=1)[0])
    except ValidationError:
        return DEFAULT


def _parent(tag: str) -> str:
    """Return the locale that a locale inherits from in CLDR; "" if there is none."""
    explicit = get_global("parent_exceptions").get(tag.replace("-", "_"))
    if explicit:
        return str(explicit).replace("_", "-")
    language, *rest = tag.split("-")
    usual_script = _script(language)
    if rest and len(rest[0]) == 4:  # a script
        return tag.rpartition("-")[0] if len(rest) > 1 or rest[0] == usual_script else ""
    if rest and _script(tag) != usual_script:  # zh-TW is zh-Hant-TW
        return f"{language}-{_script(tag)}-{rest[0]}"
    return language if rest else ""


def _script(tag: str) -> str:
    """Return the script that a language is usually written in, in a region or in general; "" if unknown."""
    likely = get_global("likely_subtags")
    language = tag.partition("-")[0]
    found = str(likely.get(tag.replace("-", "_")) or likely.get(language) or "")
    return next((part for part in found.split("_")[1:] if len(part) == 4), "")
