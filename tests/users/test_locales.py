"""Locales of persons: their spelling, and what they fall back to."""

import pytest
from django.core.exceptions import ValidationError

from users.locales import canonical_locale, fallbacks
from users.models import User


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("de", "de"),
        ("DE", "de"),
        ("de-CH", "de-CH"),
        ("de_ch", "de-CH"),
        ("pt_BR", "pt-BR"),
        ("zh", "zh"),
        ("zh-hans", "zh-Hans"),
        ("zh-CN", "zh-CN"),
        ("zh_Hant_TW", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("de-US", "de-US"),
        ("iw", "he"),
        ("skr-PK", "skr-PK"),
        (" fr ", "fr"),
    ],
)
def test_a_locale_has_one_spelling(given: str, stored: str) -> None:
    assert canonical_locale(given) == stored


@pytest.mark.parametrize(
    "given",
    ["", "xx", "und", "german", "de-XX", "de-Xxxx", "de_DE.UTF-8", "C", "de-", "d" * 500, "../de", "de\n-CH"],
)
def test_a_locale_that_does_not_exist_is_refused_with_advice(given: str) -> None:
    with pytest.raises(ValidationError, match="such as de, de-CH") as refused:
        canonical_locale(given)
    assert refused.value.code == "unknown_locale"


@pytest.mark.parametrize(
    ("given", "chain"),
    [
        ("en", "en"),
        ("en-US", "en-US en"),
        ("en-AU", "en-AU en-001 en"),
        ("de-CH", "de-CH de en"),
        ("de-US", "de-US de en"),
        ("it-IT", "it-IT it en"),
        ("zh-CN", "zh-CN zh en"),
        ("zh-Hans-SG", "zh-Hans-SG zh-Hans zh en"),
        ("zh-TW", "zh-TW zh-Hant-TW zh-Hant en"),
        ("zh-HK", "zh-HK zh-Hant-HK zh-Hant en"),
        ("zh-Hant", "zh-Hant en"),
        ("pt-AO", "pt-AO pt-PT pt en"),
        ("sr-ME", "sr-ME sr-Latn-ME sr-Latn en"),
    ],
)
def test_a_locale_falls_back_to_its_language_and_then_to_english(given: str, chain: str) -> None:
    assert fallbacks(given) == tuple(chain.split())


@pytest.mark.parametrize(
    ("given", "chain"),
    [
        ("", "en"),
        ("de_DE.UTF-8", "de en"),
        ("klingon", "en"),
        ("zh-Hans-CN-x-old", "zh en"),
        ("\x00💥", "en"),
    ],
)
def test_a_stored_locale_from_before_the_check_has_fallbacks_too(given: str, chain: str) -> None:
    assert fallbacks(given) == tuple(chain.split())


def test_a_person_is_kept_with_the_usual_spelling() -> None:
    person = User(external_id="ada", username="ada", password="x", locale="pt_BR")
    person.clean()
    assert person.locale == "pt-BR"


def test_a_person_with_an_unknown_locale_is_refused_at_that_field() -> None:
    with pytest.raises(ValidationError) as refused:
        User(external_id="ada", username="ada", password="x", locale="xx").clean()
    assert refused.value.error_dict["locale"][0].code == "unknown_locale"
