"""Long values: what is cut, and where."""

import pytest

from notifications.rendering.lengths import cut_html, cut_text
from notifications.states import Channel
from tests.notifications.rendering.rendered_messages import (
    SHOWN,
    TELEGRAM_UNITS,
    Markup,
    assert_presentable,
    rendered,
    telegram_markup,
    units,
)


@pytest.mark.parametrize("letter", ["x", "<", "&", "🚀", "👩\u200d🚀", "é\u0301", "\n"])
@pytest.mark.parametrize(
    "event_type", ["ORDER_FILLED", "STRATEGY_LOG", "ALERT_TRIGGERED", "ML_MODEL_UPDATED"]
)
@pytest.mark.parametrize("channel", SHOWN)
def test_long_values_are_cut(letter: str, event_type: str, channel: Channel) -> None:
    names = ["symbol", "exchange", "message", "condition", "strategy_id", "details", letter * 50]

    message = rendered(event_type, dict.fromkeys(names, letter * 16_000), channel)

    assert_presentable(message, channel)


def test_markup_that_is_cut_ends_in_an_ellipsis_and_closed_tags() -> None:
    cut = cut_html(f"<b>{'&amp;' * 5_000}</b>", TELEGRAM_UNITS)

    assert cut.endswith("&amp;…</b>")
    assert units(cut) > TELEGRAM_UNITS - len("&amp;")


@pytest.mark.parametrize("letter", ["x", "&", "🚀", "<"])
def test_a_telegram_message_that_is_too_long_says_so_and_keeps_both_ends(letter: str) -> None:
    message = rendered("STRATEGY_LOG", {"message": f"Start {letter * 5_000} End"}, Channel.TELEGRAM)

    for text in (message.text, telegram_markup(message).text):
        assert "\n\nStart " in text
        assert " characters left out] … " in text
        assert " End\n\n20 Nov 2025" in text
    assert_presentable(message, Channel.TELEGRAM)


@pytest.mark.parametrize("limit", range(20, 60))
def test_markup_is_cut_between_tags_entities_and_characters(limit: int) -> None:
    markup = "<b>🚀 one &lt; two &#x27;</b> <i>three <b>🚀🚀🚀 four</b></i> &amp; five"

    cut = cut_html(markup, limit)

    assert units(cut) <= limit
    assert Markup(cut, {"b", "i"}).problems == []
    assert Markup(markup).text.startswith(Markup(cut).text.removesuffix("…").rstrip())


@pytest.mark.parametrize("limit", range(2, 12))
def test_text_is_cut_between_characters(limit: int) -> None:
    cut = cut_text("a🚀b🚀🚀c🚀", limit)

    assert units(cut) <= limit
    assert "a🚀b🚀🚀c🚀".startswith(cut.removesuffix("…"))
