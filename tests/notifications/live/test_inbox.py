"""A recipient's inbox: their events in the order of `seq`, with their marks."""

import pytest

from notifications import store
from notifications.live import inbox
from notifications.models import Event, InboxCursor


@pytest.fixture
def events(desk, ada):
    return [desk.event(ada, event_id=f"e{number}") for number in range(1, 6)]


def seqs(person, **query):
    query = {"time_zone": "UTC", "locale": "en", "before": None, "limit": 50} | query
    return [item["seq"] for item in inbox.page(person.pk, **query)]


def marked(person, refs, what, now) -> list[str]:
    return [change.name.event_id for change in store.inbox.mark(person.pk, refs, what, now=now)]


def test_the_newest_event_comes_first(ada, events) -> None:
    assert seqs(ada) == [5, 4, 3, 2, 1]


def test_pages_follow_each_other_without_a_gap_or_a_repeat(ada, events) -> None:
    assert seqs(ada, limit=2) == [5, 4]
    assert seqs(ada, limit=2, before=4) == [3, 2]
    assert seqs(ada, limit=2, before=2) == [1]
    assert seqs(ada, limit=2, before=1) == []


def test_an_item_has_the_fields_that_a_page_shows(ada, events) -> None:
    item = inbox.page(ada.pk, time_zone="UTC", locale="en", before=None, limit=1)[0]
    assert (item["event_id"], item["source"]) == ("e5", "exchange")
    assert (item["event_type"], item["priority"]) == ("ORDER_FILLED", "NORMAL")
    assert (item["state"], item["seen"], item["read"]) == ("failed", False, False)
    assert item["title"] and item["payload"] == {"symbol": "BTC/USDT"}


def test_a_user_does_not_see_the_events_of_others(desk, ada, events) -> None:
    assert seqs(desk.person("bob")) == []


@pytest.mark.parametrize(
    ("what", "seen", "read", "shown"),
    [("seen", True, False, True), ("read", True, True, True), ("archive", True, False, False)],
)
def test_a_mark_sets_its_column_and_what_it_implies(ada, events, now, what, seen, read, shown) -> None:
    assert marked(ada, ["e1", "e3"], what, now) == ["e3", "e1"]
    event = Event.objects.get(event_id="e3")
    assert (event.seen_at == now, event.read_at == now, event.archived_at == now) == (seen, read, not shown)
    assert (3 in seqs(ada)) == shown
    assert Event.objects.filter(seen_at__isnull=True).count() == 3


def test_a_mark_keeps_its_first_time(ada, events, now) -> None:
    from datetime import timedelta

    store.inbox.mark(ada.pk, ["e1"], "seen", now=now)
    assert marked(ada, ["e1"], "seen", now + timedelta(hours=1)) == []
    assert marked(ada, ["e1"], "read", now + timedelta(hours=1)) == ["e1"]
    event = Event.objects.get(event_id="e1")
    assert (event.seen_at, event.read_at) == (now, now + timedelta(hours=1))


def test_marks_on_events_of_others_and_on_unknown_ids_change_nothing(desk, ada, events, now) -> None:
    bob = desk.person("bob")
    assert store.inbox.mark(bob.pk, ["e1", "nothing"], "read", now=now) == []
    assert not Event.objects.filter(read_at__isnull=False).exists()


def test_an_event_is_unread_until_it_is_read_or_archived(desk, ada, events, now) -> None:
    desk.event(desk.person("bob"), event_id="his")
    assert inbox.unread(ada.pk) == 5
    store.inbox.mark(ada.pk, ["e1"], "seen", now=now)
    store.inbox.mark(ada.pk, ["e2"], "read", now=now)
    store.inbox.mark(ada.pk, ["e3"], "archive", now=now)
    assert inbox.unread(ada.pk) == 3


def test_the_position_is_the_end_of_the_sequence(ada, events) -> None:
    position = inbox.position(ada.pk)
    cursor = InboxCursor.objects.get(person=ada)
    assert (position.seq, position.epoch, position.unread) == (5, str(cursor.epoch), 5)


def test_a_user_without_events_has_a_position_that_stays(desk) -> None:
    bob = desk.person("bob")
    first = inbox.position(bob.pk)
    assert (first.seq, first.unread) == (0, 0)
    desk.event(bob)
    assert (inbox.position(bob.pk).seq, inbox.position(bob.pk).epoch) == (1, first.epoch)
