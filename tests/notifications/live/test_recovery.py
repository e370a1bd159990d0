"""What a client has missed, page by page, and how a session begins."""

import json
import uuid
from datetime import timedelta

import pytest

from notifications import store
from notifications.knobs import Knobs
from notifications.live import recovery
from notifications.live.frames import head, to_ms
from notifications.live.recovery import Resume
from notifications.models import InboxCursor
from notifications.states import Priority


@pytest.fixture
def events(desk, ada):
    return [desk.event(ada, event_id=f"e{number}") for number in range(1, 6)]


def missed(person, after, limit=recovery.PAGE):
    return recovery.missed(person.pk, after=after, limit=limit, time_zone="UTC")


def seqs(found):
    return [found_head.seq for found_head, _ in found.frames]


def epoch(person) -> str:
    return str(InboxCursor.objects.get(person=person).epoch)


def test_pages_follow_each_other_in_ascending_order(ada, events) -> None:
    first = missed(ada, 0, limit=2)
    second = missed(ada, first.through, limit=2)
    third = missed(ada, second.through, limit=2)
    assert [seqs(page) for page in (first, second, third)] == [[1, 2], [3, 4], [5]]
    assert (first.through, second.through, third.through) == (2, 4, 5)
    assert missed(ada, 5) == recovery.Missed([], 5)


def test_a_place_whose_event_was_removed_is_passed(ada, events) -> None:
    events[1].delete()
    events[4].delete()
    assert (seqs(missed(ada, 0)), missed(ada, 0).through) == ([1, 3, 4], 5)


def test_nobody_reads_the_events_of_others(desk, ada, events) -> None:
    bob = desk.person("bob")
    desk.event(bob, event_id="theirs")
    assert seqs(missed(bob, 0)) == [1]


def test_a_frame_is_the_one_that_was_missed_and_says_what_its_head_says(ada, events) -> None:
    found_head, data = missed(ada, 4).frames[0]
    frame = json.loads(data)
    assert head(data) == found_head
    assert (frame["type"], frame["seq"], frame["event_id"]) == ("event", 5, "e5")
    assert frame["payload"] == {"symbol": "BTC/USDT"}


def test_an_event_of_a_topic_says_so_in_its_missed_frame_too(ada, events) -> None:
    events[4].topic = "market.BTC"
    events[4].save()
    found_head, data = missed(ada, 4).frames[0]
    assert head(data) == found_head
    assert json.loads(data)["topic"] == "market.BTC"


def test_only_an_event_whose_page_is_waited_for_carries_a_deadline(desk, ada, chat, now) -> None:
    desk.event(ada, None, chat, event_id="waiting", priority=Priority.CRITICAL)
    desk.event(ada, None, chat, event_id="confirmed", priority=Priority.CRITICAL)
    desk.event(ada, chat, event_id="elsewhere", priority=Priority.CRITICAL)
    store.confirm([(ada.pk, "confirmed")], now=now)
    deadlines = {found.event_id: found.ack_by for found, _ in missed(ada, 0).frames}
    waited_for = to_ms(now + timedelta(seconds=5))
    assert deadlines == {"waiting": waited_for, "confirmed": 0, "elsewhere": 0}
    store.sweep_deliveries(now=now + timedelta(seconds=6), knobs=Knobs())  # its deadline passes
    assert {found.ack_by for found, _ in missed(ada, 0).frames} == {0}


def begin(person, resume, *, wanted=True):
    return recovery.begin(person.pk, resume, wanted=wanted, time_zone="UTC")


@pytest.mark.parametrize("seq", [0, 3, 5])
def test_a_client_that_can_be_served_goes_on_where_it_was(ada, events, seq) -> None:
    beginning = begin(ada, Resume(seq, epoch(ada)))
    assert (beginning.recovered, beginning.after, beginning.items) == (True, seq, None)
    assert (beginning.position.seq, beginning.position.unread) == (5, 5)


def test_a_client_ahead_of_us_or_of_another_sequence_takes_a_snapshot(ada, events) -> None:
    for resume in (Resume(6, epoch(ada)), Resume(3, str(uuid.uuid4())), None):
        beginning = begin(ada, resume)
        assert (beginning.recovered, beginning.after) == (False, 5)
        assert [item["seq"] for item in beginning.items or []] == [5, 4, 3, 2, 1]


def test_a_client_that_missed_too_much_takes_a_snapshot(ada, events, settings) -> None:
    settings.TOCSIN = Knobs(resume_max_events=3)
    assert begin(ada, Resume(2, epoch(ada))).recovered
    assert not begin(ada, Resume(1, epoch(ada))).recovered


def test_who_does_not_ask_gets_neither(ada, events) -> None:
    beginning = begin(ada, None, wanted=False)
    assert (beginning.recovered, beginning.after, beginning.items) == (False, 5, None)


def test_a_snapshot_is_bounded_in_number_and_in_bytes(desk, ada) -> None:
    for number in range(60):
        desk.event(ada, event_id=f"e{number}")
    assert [item["seq"] for item in begin(ada, None).items or []] == list(range(60, 10, -1))
    large = {"text": "x" * 400_000}
    for number in range(3):
        desk.event(ada, event_id=f"large-{number}", payload=large)
    assert [item["seq"] for item in begin(ada, None).items or []] == [63, 62]


def test_the_heads_of_many_persons_come_at_once(desk, ada, events, django_assert_num_queries) -> None:
    bob = desk.person("bob")
    desk.event(bob, event_id="theirs")
    with django_assert_num_queries(1):
        found = recovery.heads([ada.pk, bob.pk, ada.pk, 10**9])
    assert found == {ada.pk: (5, epoch(ada)), bob.pk: (1, epoch(bob))}
