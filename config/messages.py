"""`make messages`: bring the catalogues of all languages up to date with the sentences in the code.

python -m config.messages           add new sentences, untranslated, and drop those that are gone
python -m config.messages --check   change nothing; exit 1 and say what is missing
"""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po, write_po

from config.env import ROOT
from notifications.rendering import vocabulary
from notifications.rendering.locales import CATALOGUES

CODE = ("notifications", "gateway", "users")
KEYWORDS = {**DEFAULT_KEYWORDS, "gettext_noop": None}

_CHANGING = re.compile(
    rb'^"(?:[A-Za-z]+-[A-Za-z-]*Date|Last-Translator|Language-Team|Generated-By|Report-[^:]+|Project-[^:]+):.*\n',
    re.M,
)
_TRANSLATED = re.compile(r"""(["'])((?:(?!\1).)+)\1\|translated""")


def sentences() -> Catalog:
    """Return the sentences of the code, as a catalogue without translations."""
    found = Catalog(charset="utf-8")
    for folder in CODE:
        for _, _, message, comments, context in extract_from_dir(
            ROOT / folder, METHODS, keywords=KEYWORDS, comment_tags=("For translators:",)
        ):
            found.add(message, auto_comments=comments, context=context)
    for context, word in vocabulary.entries():
        found.add(word, context=context)
    return found


def _of_template(file: IO[bytes], *_: object, **__: object) -> Iterator[tuple[int, str, str, list[str]]]:
    """Find the sentences of a template, as in `{{ "CRITICAL"|translated }}`."""
    for number, line in enumerate(file, start=1):
        for _, sentence in _TRANSLATED.findall(line.decode()):
            yield number, "gettext", sentence, []


def read(path: Path) -> Catalog:
    return read_po(BytesIO(path.read_bytes()), locale=path.parts[-3].replace("-", "_"))


def updated(catalogue: Catalog, template: Catalog) -> bytes:
    """Return the catalogue with exactly the sentences of the template, those it has translated."""
    catalogue.update(template, no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    written = BytesIO()
    write_po(written, catalogue, width=100, no_location=True, sort_output=True)
    return _CHANGING.sub(b"", written.getvalue())


def problems(catalogue: Catalog, template: Catalog) -> Iterator[str]:
    """Say what is wrong with a catalogue: a sentence that is missing, unsure, gone, or has other values."""
    for message in _sentences(template):
        own = catalogue.get(message.id, message.context)
        if own is None or not _is_complete(own):
            yield f"no translation of {message.id!r}"
        elif own.fuzzy:
            yield f"an unsure (fuzzy) translation of {message.id!r}"
    for message in _sentences(catalogue):
        if template.get(message.id, message.context) is None:
            yield f"no such sentence any more: {message.id!r}"
        yield from (f"{message.id!r}: {error}" for error in message.check(catalogue))


def _sentences(catalogue: Catalog) -> Iterable[Message]:
    return (message for message in catalogue if message.id)


METHODS: Any = [  # the annotation knows methods by name alone
    ("**.py", "python"),
    ("**/templates/**", _of_template),
]


def _is_complete(message: Message) -> bool:
    strings = message.string if isinstance(message.string, tuple) else (message.string,)
    return all(strings)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args(arguments).check
    template, failed = sentences(), False
    for path in sorted(CATALOGUES.glob("*/LC_MESSAGES/messages.po")):
        if not check:
            path.write_bytes(updated(read(path), template))
        for problem in problems(read(path), template):
            print(f"{path.relative_to(ROOT)}: {problem}")
            failed = True
    if failed:
        print("Translate these, and run make messages for the sentences that are new or gone.")
    return int(failed and check)


if __name__ == "__main__":
    sys.exit(main())
