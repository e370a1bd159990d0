"""The check of the catalogues says everything that is wrong with one."""

from pathlib import Path

import pytest
from babel.messages.catalog import Catalog

from config import messages

HEAD = 'msgid ""\nmsgstr "Language: {}\\n"\n\n'
ENTRY = 'msgid "%(count)d more"\nmsgstr "%(count)d weitere"\n'


@pytest.fixture
def template() -> Catalog:
    made = Catalog(charset="utf-8")
    made.add("%(count)d more")
    return made


@pytest.fixture
def catalogue(tmp_path: Path):
    def make(text: str, language: str = "de") -> Catalog:
        path = tmp_path / language / "LC_MESSAGES" / "messages.po"
        path.parent.mkdir(parents=True)
        path.write_text(HEAD.format(language) + text)
        return messages.read(path)

    return make


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no translation of"),
        ('msgid "%(count)d more"\nmsgstr ""\n', "no translation of"),
        ("#, fuzzy\n" + ENTRY, "an unsure (fuzzy) translation of"),
        (ENTRY + '\nmsgid "old"\nmsgstr "alt"\n', "no such sentence any more"),
        ("#, python-format\n" + ENTRY.replace("%(count)d weitere", "%(number)d weitere"), "placeholder"),
    ],
)
def test_what_is_wrong_with_a_catalogue_is_said(catalogue, template, text: str, problem: str) -> None:
    [found] = messages.problems(catalogue(text), template)
    assert problem in found


def test_a_complete_catalogue_has_no_problem(catalogue, template) -> None:
    assert list(messages.problems(catalogue(ENTRY), template)) == []


def test_an_update_adds_what_is_new_drops_what_is_gone_and_keeps_the_rest(catalogue, template) -> None:
    template.add("new")
    written = messages.updated(catalogue(ENTRY + '\nmsgid "old"\nmsgstr "alt"\n', "fr"), template).decode()
    assert 'msgstr "%(count)d weitere"' in written
    assert 'msgid "new"\nmsgstr ""' in written
    assert "old" not in written
    assert "Date" not in written  # nothing that changes by itself
    assert "nplurals=3" in written


def test_the_sentences_of_code_layouts_and_payloads_are_found() -> None:
    found = messages.sentences()
    assert found.get("You may have received this already.") is not None
    assert found.get("CRITICAL") is not None
    assert found.get("Stop limit", context="value") is not None
    assert found.get("%(count)d more value").id == ("%(count)d more value", "%(count)d more values")


def test_the_catalogues_are_complete(capsys) -> None:
    assert messages.main(["--check"]) == 0, capsys.readouterr().out
