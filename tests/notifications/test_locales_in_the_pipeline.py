"""Every message to a person is in their locale, on every way that it takes."""

import pytest

from notifications.delivery import attempt
from notifications.ingest import ingest
from notifications.live import inbox, recovery
from notifications.routing import recipients
from notifications.states import FailureKind, Priority
from tests.notifications.other_ends import unused

SIMULATED = {"symbol": "BTC/USDT", "dry_run": True}
GERMAN = {"time_zone": "UTC", "locale": "de"}


@pytest.fixture
def german(ada):
    ada.locale = "de-AT"
    ada.save()
    return ada


def test_routing_reads_it_with_the_person(german, now) -> None:
    assert recipients.load(["ada"], now=now, active_s=600)["ada"].locale == "de-AT"


def test_a_live_event_has_it(desk, german, open_page, doorbells, now) -> None:
    page = open_page(german)
    ingest([desk.envelope(german, payload=SIMULATED)], now=now)
    ingest([desk.envelope(german, "e2", payload=SIMULATED, priority=Priority.INFORMATIONAL)], now=now)
    assert [frame["title"][:12] for frame in page.frames()] == ["Simulation: "] * 2
    doorbells.take()


def test_a_message_on_another_channel_has_it(desk, german, chat, provider, now) -> None:
    telegram = provider()
    event = desk.event(german, chat, payload=SIMULATED)
    list(attempt.attempt_many([str(desk.delivery(event).pk)], clock=lambda: now, run_effects=unused))
    [(_, message)] = telegram.sent
    assert message.text.startswith("Simulation: ")


def test_a_page_that_comes_after_other_channels_has_it(desk, german, chat, records, open_page, now) -> None:
    event = desk.event(german, chat, None, payload=SIMULATED)
    records.failed(desk.delivery(event), FailureKind.MESSAGE)
    page = open_page(german)
    list(attempt.attempt_many([str(desk.delivery(event, 1).pk)], clock=lambda: now, run_effects=unused))
    assert [frame["title"][:12] for frame in page.frames()] == ["Simulation: "]


def test_the_inbox_and_a_resumed_session_have_it(desk, german) -> None:
    desk.event(german, None, payload=SIMULATED)
    [item] = inbox.page(german.pk, **GERMAN, before=None, limit=10)
    assert item["title"].startswith("Simulation: ")
    missed = recovery.missed(german.pk, after=0, limit=10, **GERMAN)
    assert b'"title":"Simulation: ' in missed.frames[0][1]
    start = recovery.begin(german.pk, None, resume_asked=True, **GERMAN)
    assert start.items is not None
    assert start.items[0]["title"].startswith("Simulation: ")


def test_a_stored_locale_that_is_none_does_not_stop_a_message(desk, german, chat, provider, now) -> None:
    german.locale = "klingon/../💥"
    german.save()
    telegram = provider()
    event = desk.event(german, chat, payload=SIMULATED)
    list(attempt.attempt_many([str(desk.delivery(event).pk)], clock=lambda: now, run_effects=unused))
    [(_, message)] = telegram.sent
    assert message.text.startswith("Simulated: ")
