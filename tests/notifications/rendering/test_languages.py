"""Every message is complete in every language that we ship."""

import re
from pathlib import Path

import pytest

from config import messages
from notifications.rendering import vocabulary
from notifications.rendering.locales import CATALOGUES, languages
from notifications.rendering.shipped import _ROOT
from notifications.rendering.vocabulary import EVENT_TYPES, LABELS, sentence
from notifications.transports import registry
from proto.tocsin.v1 import user_events_pb2 as contract

LANGUAGES = ["de", "zh"]
FOLDERS = [_ROOT, *(spec.templates for spec in registry.channels().values() if spec.templates)]


def wordings(folder: Path, language: str = "") -> set[str]:
    """Return the wording files of a language, by their paths inside of its folder."""
    found = {path.relative_to(folder / "wording") for path in (folder / "wording").rglob("*.*")}
    if language:
        return {"/".join(path.parts[1:]) for path in found if path.parts[0] == language}
    return {str(path) for path in found if len(path.parts) == 1 or path.parts[0] in {"families", "parts"}}


def test_these_are_the_languages() -> None:
    assert languages() == {"en", *LANGUAGES}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("folder", FOLDERS, ids=str)
def test_every_wording_is_in_every_language(folder: Path, language: str) -> None:
    assert wordings(folder, language) == wordings(folder)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_is_missing_in_a_catalogue(language: str) -> None:
    catalogue = messages.read(CATALOGUES / language / "LC_MESSAGES" / "messages.po")
    assert list(messages.problems(catalogue, messages.sentences())) == []


def translations(language: str) -> dict[tuple[str | None, str], str]:
    catalogue = messages.read(CATALOGUES / language / "LC_MESSAGES" / "messages.po")
    return {(one.context, str(one.id)): str(one.string) for one in catalogue if one.id}


def test_every_sentence_in_chinese_is_chinese() -> None:
    others = {text for text in translations("zh").values() if not re.search("[\u4e00-\u9fff，、：]", text)}
    assert others == {"Maker", "Taker"}


def test_no_sentence_in_german_is_that_of_another_language() -> None:
    others, german = translations("zh"), translations("de")
    assert {key for key, text in german.items() if text == others[key]} == {
        ("value", "Maker"),
        ("value", "Taker"),
    }
    same = {key[1] for key, text in german.items() if key[0] is None and text == key[1]}
    both = {"Admin", "Code", "Demo", "Name (optional)", "Normal", "live", "offline"}
    assert same == {", ", ": "} | both


def test_every_type_of_the_contract_has_a_wording_or_a_name() -> None:
    names = [
        name
        for name in contract.EventType.DESCRIPTOR.values_by_name
        if f"{name.lower()}.txt" not in wordings(_ROOT)
    ]
    assert {sentence(name) for name in names} == EVENT_TYPES


def test_every_field_of_the_contract_and_of_a_wording_has_a_label() -> None:
    fields = {
        field.name
        for message in contract.DESCRIPTOR.message_types_by_name.values()
        if message.name.endswith("EventPayload")
        for field in message.fields
    }
    for path in (_ROOT / "wording").glob("*.txt"):
        fields |= set(re.findall(r'(?:payload\.|pairs:")(\w+)', path.read_text()))
    assert {sentence(field) for field in fields} - LABELS == set()


def test_a_word_of_a_payload_is_known_in_any_spelling() -> None:
    assert {vocabulary.sentence(word) for word in ("STOP_LIMIT", "stopLimit", "stop_limit")} == {"Stop limit"}
