"""Texts are cut between characters as people see them."""

import pytest

from notifications.rendering.graphemes import boundary
from notifications.rendering.lengths import cut_html, cut_text, shorten
from notifications.rendering.render import MAX_TITLE_CHARS
from notifications.states import Channel
from tests.notifications.rendering.rendered_messages import Markup, rendered, telegram_markup

CLUSTERS = [
    "e\u0301",
    "👩\u200d👩\u200d👧\u200d👦",
    "👍🏽",
    "❤\ufe0f",
    "🇩🇪",
    "1\ufe0f\u20e3",
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    "\u1112\u1161\u11ab",
    "क्षि",
    "நி",
    "o\u0308\u0323",
]


@pytest.mark.parametrize("cluster", CLUSTERS)
@pytest.mark.parametrize("limit", range(1, 60))
def test_no_character_is_cut(cluster: str, limit: int) -> None:
    text = f"a{cluster * 100}"

    for cut in (cut_text(text, limit), cut_html(text, limit), shorten(text, limit)):
        kept = cut.removesuffix("…").removeprefix("a")
        assert kept == cluster * (len(kept) // len(cluster)), ascii(cut)


@pytest.mark.parametrize("cluster", CLUSTERS)
@pytest.mark.parametrize("limit", range(120, 160, 3))
def test_both_ends_of_a_shortened_text_are_whole(cluster: str, limit: int) -> None:
    cut = shorten(cluster * 200, limit)
    start, end = cut.split(" … [")[0], cut.split("] … ")[1]

    assert len(cut) <= limit
    assert start == cluster * (len(start) // len(cluster))
    assert end == cluster * (len(end) // len(cluster))


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_messages_are_cut_between_characters(cluster: str) -> None:
    message = rendered("ALERT_TRIGGERED", {"condition": cluster * 3_000}, Channel.TELEGRAM)
    title = message.title.removeprefix("Alert: ").removesuffix("…")

    assert len(message.title) <= MAX_TITLE_CHARS
    assert title == cluster * (len(title) // len(cluster))
    assert telegram_markup(message).problems == []


def test_a_flag_is_not_joined_to_the_next_one() -> None:
    assert boundary("🇩🇪🇫🇷", 2) == 2
    assert boundary("🇩🇪🇫🇷", 3) == 2


def test_an_endless_character_is_cut_all_the_same() -> None:
    zalgo = "a" + "\u0301" * 10_000

    assert len(cut_text(zalgo, 100)) == 100
    assert len(Markup(cut_html(f"<b>{zalgo}</b>", 100), {"b"}).text) > 50
