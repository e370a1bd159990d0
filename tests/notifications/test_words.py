"""The producer's own words on their way: acceptance, page, channels, inbox, topics, replays."""

from dataclasses import replace

import pytest

from notifications import store
from notifications.delivery.attempt import attempt_one
from notifications.events import ChannelChoice
from notifications.ingest import ingest
from notifications.live import inbox, recovery
from notifications.models import Broadcast, Delivery, Event
from notifications.operations.timeline import timeline
from notifications.states import Channel, Priority
from notifications.topics import fan_out, subscriptions
from notifications.transports.base import Receipt
from notifications.words import Action, ActionKind, Words
from tests.notifications.other_ends import unused
from users.models import Source, TopicRule

URL = "https://docs.example.com/notes"
WORDS = Words(
    title="Your words",
    body=f"See **[the notes]({URL})**.",
    url=URL,
    image="https://docs.example.com/a.png",
    actions=(Action("Read", URL), Action("Got it", kind=ActionKind.ACKNOWLEDGE)),
)
SHOWN = {
    "title": "Your words",
    "body": f"See the notes ({URL}).",
    "url": URL,
    "image": "https://docs.example.com/a.png",
    "actions": [{"label": "Read", "url": URL}, {"label": "Got it", "kind": "acknowledge"}],
    "blocks": [
        {
            "type": "paragraph",
            "runs": [{"text": "See "}, {"text": "the notes", "bold": True, "url": URL}, {"text": "."}],
        }
    ],
}


@pytest.fixture(autouse=True)
def quiet(doorbells):
    """Remove the doorbells that these tests ring."""


@pytest.fixture
def worded(desk, ada):
    """Make an event with words, of a source that may link to docs.example.com."""
    desk.source.link_hosts = ["docs.example.com"]
    desk.source.save()
    desk.grant = replace(desk.grant, link_hosts=("docs.example.com",), topic_prefixes=("market.",))

    def make(**fields):
        return desk.envelope(ada, **({"words": WORDS} | fields))

    return make


def shown(frame: dict) -> dict:
    return {name: frame[name] for name in SHOWN if name in frame}


@pytest.mark.parametrize("priority", list(Priority))
def test_an_open_page_gets_the_words_with_every_priority(ada, worded, open_page, now, priority) -> None:
    page = open_page(ada)
    [ack] = ingest([worded(priority=priority)], now=now)

    [frame] = page.frames()
    assert shown(frame) == SHOWN
    assert ack.detail == ""


@pytest.mark.parametrize("channel", [Channel.TELEGRAM, Channel.EMAIL])
def test_a_provider_gets_the_words(desk, ada, worded, chat, mailbox, provider, now, channel) -> None:
    fake = provider(Receipt("m1"), channel=channel)
    ingest([worded(channels=(ChannelChoice(channel),))], now=now)
    attempt_one(str(Delivery.objects.get().pk), clock=lambda: now, run_effects=unused)

    [(_, message)] = fake.sent
    assert message.title == "Your words"
    assert (message.url, message.image, message.actions) == (URL, WORDS.image, WORDS.actions)
    assert f'<a href="{URL}"' in message.html


def test_the_inbox_and_a_resume_have_the_words(ada, worded, now) -> None:
    ingest([worded()], now=now)

    [item] = inbox.page(ada.pk, time_zone="UTC", locale="en", before=None, limit=5)
    missed = recovery.missed(ada.pk, after=0, limit=5, time_zone="UTC", locale="en")
    assert shown(item) == SHOWN
    assert f'"url":"{URL}"'.encode() in missed.frames[0][1]
    assert b'"title":"Your words"' in missed.frames[0][1]


def test_words_of_a_payload_need_no_content(ada, worded, open_page, now) -> None:
    page = open_page(ada)
    payload = {"title": "Your words", "body": WORDS.body, "url": URL, "image": WORDS.image}
    payload["actions"] = [action.to_json() for action in WORDS.actions]
    ingest([worded(words=None, payload=payload, event_type="deploy.finished")], now=now)

    [frame] = page.frames()
    assert shown(frame) == SHOWN
    assert frame["payload"] == payload


def test_an_event_without_words_has_a_plain_frame(ada, worded, open_page, now) -> None:
    page = open_page(ada)
    ingest([worded(words=None)], now=now)

    [frame] = page.frames()
    assert frame.keys().isdisjoint({"url", "image", "actions", "blocks", "words", "content"})
    assert Event.objects.get().words is None


@pytest.mark.parametrize("priority", list(Priority))
def test_the_ack_says_which_links_are_text_and_the_event_is_delivered(
    ada, worded, open_page, now, priority
) -> None:
    page = open_page(ada)
    words = replace(WORDS, url="https://evil.example/", actions=(Action("Go", "javascript:alert(1)"),))
    [ack] = ingest([worded(words=words, priority=priority)], now=now)

    assert ack.code == ""
    assert ack.detail == (
        "Shown as text, not as a link: url: evil.example is not among the link hosts of the source;"
        " actions[0].url: not https://, or not a plain host name in ASCII."
    )
    [frame] = page.frames()
    assert "url" not in frame
    assert "actions" not in frame
    assert "https://evil.example/\nGo: javascript:alert(1)" in frame["body"]


def test_the_timeline_says_which_links_are_text(ada, worded, now) -> None:
    ingest([worded(words=Words(title="T", url="http://docs.example.com"))], now=now)
    event = Event.objects.select_related("source").get()

    steps = timeline(event, [])
    assert [step["text"] for step in steps if step["kind"] == "links"] == [
        "Shown as text, not as a link: url: not https://, or not a plain host name in ASCII."
    ]


def test_a_host_that_leaves_the_list_is_linked_no_more(ada, worded, now) -> None:
    ingest([worded()], now=now)
    Source.objects.update(link_hosts=[])

    [item] = inbox.page(ada.pk, time_zone="UTC", locale="en", before=None, limit=5)
    assert item.keys().isdisjoint({"url", "image"})
    assert item["actions"] == [{"label": "Got it", "kind": "acknowledge"}]
    assert "url" not in str(item["blocks"])


def test_a_repeat_with_other_words_is_a_conflict_and_the_stored_ones_stay(ada, worded, now) -> None:
    ingest([worded()], now=now)
    [ack] = ingest([replace(worded(words=Words(title="Other")), digest=b"x" * 32)], now=now)

    assert ack.code == "conflict"
    assert Words.from_json(Event.objects.get().words) == WORDS


def test_followers_of_a_topic_get_the_words(desk, ada, worded, open_page, now) -> None:
    TopicRule.objects.create(prefix="market.", audience="everybody")
    subscriptions.subscribe(ada.pk, ["market.BTC"], now=now)
    page = open_page(ada)
    [ack] = ingest([worded(user_id="", topic="market.BTC")], now=now)
    fan_out.accept_next_chunk(str(Broadcast.objects.get().pk), now=now)

    frames = [frame for frame in page.frames() if frame["type"] == "event"]
    assert ack.status == "QUEUED"
    assert [shown(frame) for frame in frames] == [SHOWN]
    assert Words.from_json(Event.objects.get().words) == WORDS


def test_a_broadcast_of_an_earlier_version_has_no_words(desk, ada, worded, now) -> None:
    TopicRule.objects.create(prefix="market.", audience="everybody")
    subscriptions.subscribe(ada.pk, ["market.BTC"], now=now)
    ingest([worded(user_id="", topic="market.BTC")], now=now)
    row = Broadcast.objects.get()
    del row.content["words"]
    row.save()

    assert fan_out.envelope_of(row).words is None


def test_every_try_reads_the_stored_words_and_the_present_list(desk, ada, worded, chat, now) -> None:
    event = desk.event(ada, chat, words=WORDS)
    row = store.look_up([str(desk.delivery(event).pk)], now=now, max_tries=5)[0]

    assert Words.from_json(row.words) == WORDS
    assert row.link_hosts == ["docs.example.com"]
