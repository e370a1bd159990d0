"""The producer's own words on every channel: which fields are words, and what a message says besides."""

from typing import Any

import pytest

from notifications.events import Content
from notifications.rendering.published import Published, StoredWording
from notifications.rendering.render import render
from notifications.states import Channel, Priority
from notifications.transports.base import Message
from notifications.words import Action, ActionKind, Run, Words
from sandbox.simulator.telegram_html import parse_html
from tests.notifications.rendering.rendered_messages import AT_MS, SHOWN, Markup

HOSTS = ("docs.example.com", "*.example.net")
URL = "https://docs.example.com/notes"
FIELDS = {"k3": "first", "k1": "second", "k2": "third"}


def worded(
    event_type: str = "ORDER_FILLED",
    channel: Channel = Channel.WEB,
    payload: dict[str, Any] | None = None,
    words: Words | None = None,
    hosts: tuple[str, ...] = HOSTS,
    priority: Priority = Priority.NORMAL,
) -> Message:
    content = Content(
        "e1", event_type, priority, AT_MS, payload or {}, "Europe/Berlin", words=words, link_hosts=hosts
    )
    return render(content, channel, key="key-1")


# The words of `content`


@pytest.mark.parametrize("channel", SHOWN)
@pytest.mark.parametrize("event_type", ["ORDER_FILLED", "order.updated_by_venue", "norm.swap_demand"])
def test_content_is_the_whole_message_of_every_type(event_type: str, channel: Channel) -> None:
    words = Words(title="Your order", body="It is **done**.")
    message = worded(event_type, channel, {"symbol": "BTC/USDT", "title": "data", **FIELDS}, words)

    assert message.title == "Your order"
    assert "It is done." in message.text
    for hidden in ("BTC/USDT", "data", "first", "filled", "Swap"):
        assert hidden not in f"{message.title}{message.text}{message.html}"


def test_content_with_a_body_alone_keeps_the_title_of_the_type() -> None:
    message = worded(payload={"symbol": "X", "side": "buy"}, words=Words(body="Look."))

    assert (message.title, message.text) == ("BUY X filled", "Look.")


def test_content_with_a_title_alone_has_no_body() -> None:
    message = worded(payload={"symbol": "X", "exchange": "kraken"}, words=Words(title="Look"))

    assert (message.title, message.text) == ("Look", "")


@pytest.mark.parametrize("channel", SHOWN)
def test_content_without_a_title_and_a_body_adds_to_the_wording(channel: Channel) -> None:
    payload = {"symbol": "X", "side": "buy", "exchange": "kraken"}
    message = worded("ORDER_FILLED", channel, payload, Words(url=URL))

    assert message.title == "BUY X filled"
    assert "kraken" in message.text
    assert message.url == URL


def test_a_simulated_event_says_so_before_the_words_too() -> None:
    assert worded(payload={"dry_run": True}, words=Words(title="Bought")).title == "Simulated: Bought"


@pytest.mark.parametrize("channel", SHOWN)
def test_a_title_that_is_cut_is_in_the_body_as_a_whole(channel: Channel) -> None:
    title = "Long " * 40 + "end"
    message = worded("a.b", channel, words=Words(title=title, body="Body"))

    assert len(message.title) == 150
    assert title in message.text
    assert "Body" in message.text


def test_a_title_is_one_line_of_plain_text() -> None:
    assert worded(words=Words(title=" **a**\n b\u202e ")).title == "**a** b"


# The words of a payload


def test_title_and_body_replace_the_wording_and_the_other_fields_follow_in_their_order() -> None:
    message = worded("deploy.finished", payload={"k9": "z", "title": "Done", "body": "All *fine*", **FIELDS})

    assert message.title == "Done"
    assert message.text == "All fine\n\nK9: z\nK3: first\nK1: second\nK2: third"


@pytest.mark.parametrize("channel", SHOWN)
@pytest.mark.parametrize("family", ["order.update", "trade.rejected", "alert.muted", "strategy.paused"])
def test_a_family_does_not_hide_the_words(family: str, channel: Channel) -> None:
    payload = {"title": "My title", "body": "My body", "symbol": "BTC_USDT", "qty": "1"}
    message = worded(family, channel, payload)

    assert message.title == "My title"
    assert "My body" in message.text
    assert "BTC_USDT" in message.text


@pytest.mark.parametrize("channel", SHOWN)
def test_a_title_may_be_data_so_the_wording_says_what_happened(channel: Channel) -> None:
    payload = {"title": "ETHUSDT", "symbol": "BTC_USDT", "side": "buy", "qty": "1"}
    message = worded("trade.rejected", channel, payload)

    assert message.title == "ETHUSDT"
    assert "Trade rejected: BUY 1 BTC_USDT" in message.text


def test_a_title_that_is_the_name_of_the_type_is_said_once() -> None:
    assert worded("disk.full", payload={"title": "Disk Full", "host": "db1"}).text == "Host: db1"


def test_a_body_alone_comes_before_what_the_wording_says() -> None:
    message = worded("order.update", payload={"body": "Note", "symbol": "X", "status": "rejected"})

    assert message.title == "Order update: X"
    assert message.text == "Note\n\nStatus: Rejected"


@pytest.mark.parametrize("channel", SHOWN)
def test_a_type_with_a_wording_of_its_own_shows_its_payload_as_data(channel: Channel) -> None:
    payload = {"symbol": "X", "side": "buy", "title": "My title", "body": "My body", "url": URL}
    message = worded("ORDER_FILLED", channel, payload)

    assert message.title == "BUY X filled"
    assert message.url == ""
    assert URL not in Markup(message.html).links


def stored(event_type: str, words: Words | None = None, *, of_family: bool) -> Message:
    wording = StoredWording("Stored {{ payload.symbol }}", "Stored body", version_id=7, of_family=of_family)
    wordings = Published({("order", of_family, None, ""): wording})
    payload = {"symbol": "X", "title": "My title", "body": "My body"}
    content = Content("e1", event_type, Priority.NORMAL, AT_MS, payload, "UTC", words=words, link_hosts=HOSTS)
    return render(content, Channel.WEB, key="key-1", wordings=wordings)


def test_a_stored_wording_of_the_type_hides_the_words_of_the_payload_and_one_of_a_family_does_not() -> None:
    of_type, of_family = stored("order", of_family=False), stored("order.update", of_family=True)

    assert (of_type.title, of_type.text) == ("Stored X", "Stored body")
    assert (of_family.title, of_family.text) == ("My title", "My body\n\nSymbol: X")


def test_content_comes_before_a_stored_wording_which_is_used_for_what_it_leaves_open() -> None:
    titled = stored("order", Words(title="Title"), of_family=False)
    linked = stored("order", Words(url=URL), of_family=False)

    assert (titled.title, titled.text, titled.template_version) == ("Title", "", None)
    assert (linked.title, linked.text, linked.template_version) == ("Stored X", "Stored body", 7)
    assert linked.url == URL


@pytest.mark.parametrize(
    "payload",
    [
        {"title": 5, "body": ["a"], "url": {"href": URL}, "image": None, "actions": "x"},
        {"actions": ["restart", "stop"]},
        {"actions": [{"label": "a"}]},
        {"actions": [{"label": "a", "url": URL, "more": 1}]},
        {"actions": [{"label": "a", "url": URL, "kind": "phone"}]},
        {"actions": [{"label": "a", "url": URL}] * 6},
        {"title": " \u200b", "body": ""},
    ],
)
def test_fields_of_another_form_are_data(payload: dict[str, Any]) -> None:
    message = worded("job.done", payload=payload)

    assert message.title == "Job done"
    assert (message.url, message.image, message.actions, message.blocks) == ("", "", (), ())


# Links


ALL = Words(
    title="Release <3>",
    body=f"See [the *notes*]({URL}) & `x < y`.",
    url=URL,
    image="https://img.example.net/a.png",
    actions=(
        Action("Roll back", "https://ci.example.net/back"),
        Action("Got it", kind=ActionKind.ACKNOWLEDGE),
    ),
)


@pytest.mark.parametrize("channel", SHOWN)
def test_links_to_hosts_on_the_list_are_carried(channel: Channel) -> None:
    message = worded("release", channel, words=ALL)

    assert (message.url, message.image, message.actions) == (ALL.url, ALL.image, ALL.actions)


@pytest.mark.parametrize("channel", SHOWN)
def test_links_to_other_hosts_are_text(channel: Channel) -> None:
    message = worded("release", channel, words=ALL, hosts=())

    assert (message.url, message.image) == ("", "")
    assert message.actions == (Action("Got it", kind=ActionKind.ACKNOWLEDGE),)
    assert not any(run.url for block in message.blocks for run in block.runs)
    assert Markup(message.html).links == []
    for text in ("the notes", URL, "https://img.example.net/a.png", "Roll back: https://ci.example.net/back"):
        assert text in message.text


def test_telegram_links_the_title_and_the_words() -> None:
    message = worded("release", Channel.TELEGRAM, words=ALL, priority=Priority.CRITICAL)
    text, entities = parse_html(message.html)

    assert text.startswith("🚨 Release <3>\n\nSee the notes & x < y.")
    found = [(entity["type"], entity.get("url")) for entity in entities]
    assert ("text_link", URL) in found
    assert found.count(("text_link", URL)) == 3  # the title, and the two styles of the label
    assert ("code", None) in found


@pytest.mark.parametrize(
    "address",
    ["https://evil.example/x", "www.evil.example", "evil.example/x", "tg://user?id=1", "HTTP://e.example"],
)
def test_telegram_makes_no_link_of_an_address_in_the_text(address: str) -> None:
    words = Words(title=f"Go to {address} now", body=f"Or **to {address}**\n- {address}")
    _, entities = parse_html(worded("a.b", Channel.TELEGRAM, words=words).html)

    assert sum(entity["type"] == "code" for entity in entities) == 3


def test_an_email_has_links_an_image_and_their_urls_as_text() -> None:
    message = worded("release", Channel.EMAIL, words=ALL)

    assert Markup(message.html).links.count("href") == 4  # two runs of the label, Open, Roll back
    assert f'<a href="{URL}"' in message.html
    assert '<img src="https://img.example.net/a.png" alt=""' in message.html
    assert f"See the notes ({URL}) & x < y." in message.text
    assert f"Open: {URL}\nRoll back: https://ci.example.net/back" in message.text
    assert "Got it" not in message.text  # nothing would come back from there


def test_an_email_opens_an_url_once() -> None:
    words = Words(title="a", url=URL, actions=(Action("Read", URL),))

    assert f"Read: {URL}" in (text := worded("a.b", Channel.EMAIL, words=words).text)
    assert "Open" not in text


def test_a_page_gets_blocks_and_plain_text() -> None:
    message = worded("release", Channel.WEB, words=Words(title="T", body=f"**a** [b]({URL})\n- c"))

    assert message.text == f"a b ({URL})\n• c"
    assert message.blocks[0].runs == (Run("a", bold=True), Run(" "), Run("b", url=URL))
    assert [block.to_json() for block in message.blocks] == [
        {
            "type": "paragraph",
            "runs": [{"text": "a", "bold": True}, {"text": " "}, {"text": "b", "url": URL}],
        },
        {"type": "item", "runs": [{"text": "c"}], "depth": 1, "marker": "•"},
    ]


# Lengths


LONG = "**Start** " + "word " * 3_000 + f"[the end]({URL})"


@pytest.mark.parametrize("channel", [Channel.WEB, Channel.TELEGRAM])
def test_long_words_keep_both_ends_and_say_what_is_missing(channel: Channel) -> None:
    message = worded("a.b", channel, words=Words(title="T", body=LONG))

    assert "Start word" in message.text
    assert f"the end ({URL})" in message.text
    assert "characters left out" in message.text
    if channel is Channel.TELEGRAM:
        assert len(message.html) <= 4_096
        assert f'<a href="{URL}">the end</a>' in message.html


def test_an_email_has_all_the_words() -> None:
    message = worded("a.b", Channel.EMAIL, words=Words(title="T", body=LONG))

    assert message.text.count("word") == 3_000
    assert message.html.count("word") >= 3_000


def test_words_survive_storing() -> None:
    assert Words.from_json(ALL.to_json()) == ALL
    assert Words.from_json(Words(body="x").to_json()) == Words(body="x")
    assert not Words.from_json({})
