"""The locale of the message that is being made: the language of its sentences and its conventions.

    with speaking(person.locale):
        text = ngettext("%(count)s message is held.", "%(count)s messages are held.", n) % {"count": n}

The sentences of other languages are in `notifications/locale/<language>/LC_MESSAGES/messages.po`, and are
read from there as they are: there is no compiled file that could be older. `make messages` adds new ones,
and `make check` says which have no translation.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

import babel
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from users.locales import DEFAULT, fallbacks

CATALOGUES = Path(__file__).parent.parent / "locale"


@dataclass(frozen=True, slots=True, eq=False)
class Locale:
    """A locale as messages need it. Compared by identity: caches use it as a key."""

    tag: str  # as BCP 47 writes it
    cldr: babel.Locale  # numbers and dates
    sentences: NullTranslations
    is_english: bool


def catalogue(language: str) -> Path:
    return CATALOGUES / language / "LC_MESSAGES" / "messages.po"


@cache
def languages() -> frozenset[str]:
    """Return the languages with a catalogue; English needs none."""
    return frozenset({DEFAULT, *(path.parts[-3] for path in CATALOGUES.glob("*/LC_MESSAGES/messages.po"))})


@lru_cache(maxsize=256)  # bounded: people may have any locale of CLDR
def locale_in(language: str, wish: str) -> Locale:
    """Return the locale of a text in `language` for a person who wishes for another or a closer locale.

    The conventions are those of the person's region in the text's own language. A text that is not in their
    language has its own: "64.250" is another number in an English sentence.
    """
    own = fallbacks(wish)[0]
    tag = own if own.partition("-")[0] == language.partition("-")[0] else language
    return Locale(tag, _cldr(tag), _sentences(tag), is_english=tag.partition("-")[0] == DEFAULT)


def language_of(wish: str) -> str:
    """Return the language of fixed sentences for a person: the first that has a catalogue."""
    return next(tag for tag in fallbacks(wish) if tag in languages())


def locale_of(wish: str) -> Locale:
    """Return the locale of fixed sentences for a person."""
    return locale_in(language_of(wish), wish)


def _cldr(tag: str) -> babel.Locale:
    """Return CLDR's data of the nearest locale that has some: `de-US` has none of its own."""
    for name in fallbacks(tag):
        try:
            return babel.Locale.parse(name, sep="-")
        except babel.UnknownLocaleError:
            continue
    raise AssertionError("CLDR has English")


def _sentences(tag: str) -> NullTranslations:
    """Return the sentences of the nearest catalogue, and those that it lacks from farther ones."""
    return _chained(tuple(name for name in fallbacks(tag) if name in languages() and name != DEFAULT))


@cache
def _chained(catalogues: tuple[str, ...]) -> NullTranslations:
    if not catalogues:
        return NullTranslations()
    compiled = BytesIO()
    with catalogue(catalogues[0]).open("rb") as file:
        write_mo(compiled, read_po(file))
    compiled.seek(0)
    found = GNUTranslations(compiled)
    found.add_fallback(_chained(catalogues[1:]))
    return found


_current: ContextVar[Locale] = ContextVar("locale")


def current() -> Locale:
    return _current.get(None) or locale_in(DEFAULT, DEFAULT)


class Using:
    """Make messages in this locale while the block runs, in this thread or task.

    A class, since one is made for every message, and `contextmanager` takes three times as long.
    """

    __slots__ = ("_locale", "_token")

    def __init__(self, locale: Locale) -> None:
        self._locale = locale

    def __enter__(self) -> None:
        self._token = _current.set(self._locale)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


@contextmanager
def speaking(wish: str) -> Iterator[None]:
    """Make sentences for a person with this locale while the block runs, in this thread or task."""
    with Using(locale_of(wish)):
        yield


def gettext(sentence: str) -> str:
    return current().sentences.gettext(sentence)


def ngettext(singular: str, plural: str, count: int) -> str:
    return current().sentences.ngettext(singular, plural, count)


def pgettext(context: str, text: str) -> str:
    """Translate a word that has other translations elsewhere."""
    return current().sentences.pgettext(context, text)
