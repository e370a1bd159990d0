"""Any words on any channel: its parser takes them, no link leads elsewhere, and nothing visible is lost."""

import json
from html.parser import HTMLParser
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from notifications.events import Content
from notifications.rendering.links import safe_url
from notifications.rendering.render import render
from notifications.states import Channel, Priority
from notifications.transports.base import Message
from notifications.words import Action, ActionKind, Words
from sandbox.simulator.telegram_html import parse_html
from tests.notifications.rendering.rendered_messages import AT_MS, TELEGRAM_UNITS, Markup, units

HOSTS = ("docs.example.com", "*.example.net")
URLS = [
    "https://docs.example.com/a",
    "https://x.example.net/?q=1&r=<2>",
    "https://evil.example/",
    "https://docs.example.com@evil.example/",
    "https://docs.example.com\\.evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,x",
    "//evil.example",
    "http://docs.example.com",
    "https://d\u043ecs.example.com/",
    "tg://user?id=1",
]
MARKS = [
    "**",
    "*",
    "_",
    "__",
    "`",
    "``",
    "```\n",
    "[",
    "](",
    ")",
    "[a](",
    "![",
    "\n",
    "\n\n",
    "- ",
    "  - ",
    "1. ",
]
MARKS += [
    "> ",
    "# ",
    "\\",
    "<",
    ">",
    "<b>",
    "</b>",
    "<a href='https://evil.example'>",
    '"',
    "'",
    " ",
    "---\n",
]
WORDS = ["word", "BTC_USDT", "1.5", "Überweisung", "订单", "👨‍👩‍👧", "e\u0301", "x" * 200]
ODD = [
    "&amp;",
    "&#x3c;",
    "&copy;",
    "\u202e",
    "\u200b",
    "\x00",
    "\x1e",
    "\r\n",
    "{{ x }}",
    "{% y %}",
    "[a]: b\n",
]

plain = st.lists(st.sampled_from(MARKS + WORDS), max_size=40).map("".join)
text = st.lists(st.sampled_from(MARKS + WORDS + ODD + URLS) | st.text(max_size=10), max_size=60).map("".join)
url = st.sampled_from(["", *URLS]) | st.text(max_size=20)
action = st.builds(
    Action,
    st.text(min_size=1, max_size=80) | st.sampled_from(WORDS),
    url,
    st.sampled_from(ActionKind),
)
words = st.builds(Words, text, text, url, url, st.lists(action, max_size=5).map(tuple))
long_words = st.builds(
    Words,
    text,
    st.builds(lambda part, times: part * times, text, st.integers(1, 400)).map(lambda t: t[:16_384]),
)


class Links(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.urls += [value or "" for name, value in attrs if name in {"href", "src"}]
        assert not any(name.startswith("on") for name, _ in attrs)


def shown(words: Words, channel: Channel, *, priority: Priority = Priority.NORMAL) -> Message:
    content = Content("e1", "a.b", priority, AT_MS, {}, "UTC", words=words, link_hosts=HOSTS)
    return render(content, channel, key="key")


def assert_safe(urls: list[str]) -> None:
    for found in urls:
        assert safe_url(found, HOSTS) == found


def links_of(message: Message) -> list[str]:
    runs = [run.url for block in message.blocks for run in block.runs]
    actions = [action.url for action in message.actions]
    return [found for found in [*runs, *actions, message.url, message.image] if found]


def check(words: Words, channel: Channel) -> None:
    message = shown(words, channel, priority=Priority.CRITICAL)

    assert message.title
    assert "\n" not in message.title
    assert units(message.title) <= 150
    assert_safe(links_of(message))
    json.dumps([block.to_json() for block in message.blocks]).encode()
    if channel is Channel.TELEGRAM:
        _, entities = parse_html(message.html)
        assert_safe([entity["url"] for entity in entities if entity["type"] == "text_link"])
        assert max(units(message.html), units(message.text)) <= TELEGRAM_UNITS
    if channel is Channel.EMAIL:
        markup = Markup(message.html)
        assert markup.problems == []
        assert_safe(Links(message.html).urls)


@given(words)
@settings(max_examples=150, deadline=None)
def test_any_words_can_be_shown_and_lead_only_to_the_hosts_of_the_list(given_words: Words) -> None:
    for channel in (Channel.WEB, Channel.TELEGRAM, Channel.EMAIL, Channel.SLACK):
        check(given_words, channel)


@given(long_words)
@settings(max_examples=40, deadline=None)
def test_long_words_too(given_words: Words) -> None:
    for channel in (Channel.WEB, Channel.TELEGRAM):
        check(given_words, channel)


def visible(text: str) -> list[str]:
    return [char for char in text if char.isalnum()]


def contains_in_order(longer: list[str], shorter: list[str]) -> bool:
    rest = iter(longer)
    return all(char in rest for char in shorter)


@given(plain)
@example("word```\n1. ```\n")
@example("```word")
@example("```word\nmore")
@example("```1. ")
@example("```json")
@settings(max_examples=150, deadline=None)
def test_no_letter_and_no_digit_of_the_words_is_lost(body: str) -> None:
    words = Words(title="Title", body=body)
    email, page = shown(words, Channel.EMAIL), shown(words, Channel.WEB)
    chat, _ = parse_html(shown(words, Channel.TELEGRAM).html)

    assert contains_in_order(visible(email.text), visible(body))
    assert contains_in_order(visible(Markup(email.html).text), visible(body))
    if len(body) < 3_000:
        assert contains_in_order(visible(page.text), visible(body))
        assert contains_in_order(visible(chat), visible(body))


@given(
    st.dictionaries(
        st.sampled_from(["title", "body", "url", "image", "actions", "k"]),
        st.none()
        | st.integers()
        | text
        | st.lists(text, max_size=3)
        | st.lists(st.dictionaries(st.sampled_from(["label", "url", "kind"]), url), max_size=3),
    )
)
@settings(max_examples=100, deadline=None)
def test_any_payload_can_be_shown(payload: dict[str, Any]) -> None:
    content = Content("e1", "a.b", Priority.NORMAL, AT_MS, payload, "UTC", link_hosts=HOSTS)

    for channel in (Channel.WEB, Channel.TELEGRAM, Channel.EMAIL):
        message = render(content, channel, key="key")
        assert message.title
        assert_safe(links_of(message))
        assert_safe(Links(message.html).urls)
