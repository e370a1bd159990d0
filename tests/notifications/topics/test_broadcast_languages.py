"""One event to a topic: every follower reads it in their language, and it is worded once for each."""

from dataclasses import replace

import pytest

from notifications.ingest import ingest
from notifications.live.frames import Sayings
from notifications.models import Broadcast
from notifications.topics import fan_out, subscriptions
from users.models import TopicRule

TOPIC = "market.BTC"
PAYLOAD = {"symbol": "BTC/USDT", "price": "64250.50"}
SAID = {
    "en": "BTC/USDT at 64,250.50",
    "de": "BTC/USDT: 64.250,50",
    "zh-CN": "BTC/USDT 最新价 64,250.50",
    "it": "BTC/USDT at 64,250.50",
}


@pytest.fixture(autouse=True)
def quiet(doorbells):
    """Nothing that these tests ring for is left behind."""


@pytest.fixture
def pages(desk, now, open_page):
    """Return an open page of a follower for each locale."""
    TopicRule.objects.create(prefix="market.", audience="everybody")
    found = {}
    for locale in SAID:
        person = desk.person(locale)
        person.locale = locale
        person.save()
        subscriptions.subscribe(person.pk, [TOPIC], now=now)
        found[locale] = open_page(person)
        found[locale].frames()
    return found


@pytest.fixture
def envelope(desk):
    grant = replace(desk.grant, topic_prefixes=("market.",))
    values = {"topic": TOPIC, "source": grant, "event_type": "MARKET_DATA_UPDATED", "payload": PAYLOAD}
    return desk.envelope("", "e1", **values)


def test_each_follower_reads_a_stored_event_in_their_language(pages, envelope, now) -> None:
    ingest([envelope], now=now)
    fan_out.accept_next_chunk(str(Broadcast.objects.get().pk), now=now)
    assert {locale: page.frames()[0]["title"] for locale, page in pages.items()} == SAID


def test_a_batch_words_an_event_once_for_a_locale_and_zone(envelope) -> None:
    sayings = Sayings()
    other = replace(envelope, event_id="e2", user_id="bea")
    first = sayings.say(envelope.content("UTC", "de", 1))
    assert first.title == SAID["de"]
    assert sayings.say(other.content("UTC", "de", 2)) is first
    assert sayings.say(other.content("UTC", "en", 2)).title == SAID["en"]
    assert sayings.say(other.content("Asia/Tokyo", "de", 2)) is not first
    assert sayings.say(replace(other, payload={}).content("UTC", "de", 2)).title != first.title


def test_an_event_to_one_person_is_never_taken_for_anothers(desk, ada) -> None:
    sayings = Sayings()
    content = desk.envelope(ada).content("UTC", "de")
    assert sayings.say(content) is not sayings.say(content)
