"""The message of a digest on every channel, in every language, and within its length."""

import pytest

from gateway.web.samples import SAMPLES
from notifications.events import Content
from notifications.rendering.digest import render_digest
from notifications.rendering.lengths import units
from notifications.states import Channel, Priority
from notifications.transports import registry
from notifications.words import Action, Words
from tests.notifications.rendering.rendered_messages import AT_MS, TELEGRAM_UNITS, Markup

WEB, TELEGRAM, EMAIL = Channel.WEB, Channel.TELEGRAM, Channel.EMAIL
TELEGRAM_TAGS = {"b", "i", "code", "pre", "a"}


def content(number=0, locale="en", event_type="ORDER_FILLED", words=None) -> Content:
    return Content(
        f"e{number}",
        event_type,
        Priority.NORMAL,
        AT_MS + number * 60_000,
        SAMPLES[event_type],
        "Europe/Zurich",
        seq=number + 1,
        locale=locale,
        words=words,
        link_hosts=("shop.example",),
    )


def digest(channel, count=3, **how):
    return render_digest([content(number, **how) for number in range(count)], channel, key="k1")


@pytest.mark.parametrize(
    ("locale", "title"),
    [("en", "3 notifications"), ("de-CH", "3 Benachrichtigungen"), ("zh", "3 条通知")],
)
@pytest.mark.parametrize("channel", [TELEGRAM, EMAIL])
def test_it_says_how_many_in_the_persons_language(channel, locale, title) -> None:
    message = digest(channel, locale=locale)
    assert (message.key, message.title) == ("k1", title)
    assert message.text.startswith(title)
    assert message.text.count("•") == 3


def test_the_newest_comes_first_with_its_time() -> None:
    text = digest(TELEGRAM).text
    times = [text.index(time) for time in ("16:02", "16:01", "16:00")]
    assert times == sorted(times)


def test_email_has_all_of_each_event() -> None:
    message = digest(EMAIL, count=200)
    assert message.text.count("•") == 200
    assert "more" not in message.text
    assert not Markup(message.html).problems
    assert message.html.count("<b>") == 200
    assert len(digest(EMAIL).text) > len(digest(TELEGRAM).text)


@pytest.mark.parametrize("locale", ["en", "de", "zh"])
def test_telegram_has_what_fits_and_says_how_many_are_left_out(locale) -> None:
    message = digest(TELEGRAM, count=300, locale=locale)
    assert max(units(message.text), units(message.html)) <= TELEGRAM_UNITS
    assert not Markup(message.html, TELEGRAM_TAGS).problems
    shown = message.text.count("•")
    assert 30 < shown < 300
    assert f"{300 - shown}" in message.text.splitlines()[-1]


def test_a_channel_without_a_layout_has_the_text_and_the_blocks() -> None:
    message = digest(WEB)
    assert message.text.count("•") == 3
    assert message.html == ""
    assert len(message.blocks) >= 3


def test_what_producers_say_is_escaped_and_links_where_they_may() -> None:
    words = Words(
        "<b>5 & 6</b>", "Read *this*.", "https://shop.example/1", "", (Action("Buy", "https://evil.example"),)
    )
    foreign = Words("Foreign", "", "https://evil.example/1")
    contents = [content(words=words), content(1, words=foreign)]
    for channel in (TELEGRAM, EMAIL):
        message = render_digest(contents, channel, key="k1")
        assert "<b>5 & 6</b>" in message.text
        assert "&lt;b&gt;5 &amp; 6&lt;/b&gt;" in message.html
        assert 'href="https://shop.example/1"' in message.html
        assert 'href="https://evil' not in message.html
        assert message.actions == ()


def test_every_channel_that_sends_has_digests() -> None:
    for channel, spec in registry.channels().items():
        if spec.address is not None:
            assert digest(channel).title == "3 notifications"
