"""Session recovery: missed events page by page, and how a session begins."""

import json
import uuid
from datetime import timedelta

import pytest

from notifications import store
from notifications.live import recovery
from notifications.live.frames import head, to_ms
from notifications.live.recovery import Resume
from notifications.models import InboxCursor
from notifications.settings import PipelineSettings
from notifications.states import Priority


@pytest.fixture
def events(desk, ada):
    return [desk.event(ada, event_id=f"e{number}") for number in range(1, 6)]


def missed(person, after, limit=recovery.PAGE):
    return recovery.missed(person.pk, after=after, limit=limit, time_zone="UTC", locale="en")


def seqs(found):
    return [found_head.seq for found_head, _ in found.frames]


def epoch(person) -> str:
    return str(InboxCursor.objects.get(person=person).epoch)


def test_pages_of_missed_events_come_in_ascending_order(ada, events) -> None:
    first = missed(ada, 0, limit=2)
    second = missed(ada, first.through, limit=2)
    third = missed(ada, second.through, limit=2)
    assert [seqs(page) for page in (first, second, third)] == [[1, 2], [3, 4], [5]]
    assert (first.through, second.through, third.through) == (2, 4, 5)
    assert missed(ada, 5) == recovery.Missed([], 5)


def test_a_seq_whose_event_was_removed_is_skipped(ada, events) -> None:
    events[1].delete()
    events[4].delete()
    assert (seqs(missed(ada, 0)), missed(ada, 0).through) == ([1, 3, 4], 5)


def test_a_user_does_not_read_the_events_of_others(desk, ada, events) -> None:
    bob = desk.person("bob")
    desk.event(bob, event_id="theirs")
    assert seqs(missed(bob, 0)) == [1]


def test_a_missed_frame_agrees_with_its_head(ada, events) -> None:
    found_head, data = missed(ada, 4).frames[0]
    frame = json.loads(data)
    assert head(data) == found_head
    assert (frame["type"], frame["seq"], frame["event_id"]) == ("event", 5, "e5")
    assert frame["payload"] == {"symbol": "BTC/USDT"}


def test_a_missed_frame_names_the_topic_of_its_event(ada, events) -> None:
    events[4].topic = "market.BTC"
    events[4].save()
    found_head, data = missed(ada, 4).frames[0]
    assert head(data) == found_head
    assert json.loads(data)["topic"] == "market.BTC"


def test_only_an_event_with_an_open_confirmation_has_a_deadline(desk, ada, chat, now) -> None:
    desk.event(ada, None, chat, event_id="waiting", priority=Priority.CRITICAL)
    desk.event(ada, None, chat, event_id="confirmed", priority=Priority.CRITICAL)
    desk.event(ada, chat, event_id="elsewhere", priority=Priority.CRITICAL)
    store.confirm([(ada.pk, "confirmed")], now=now)
    deadlines = {found.name.event_id: found.ack_by for found, _ in missed(ada, 0).frames}
    deadline = to_ms(now + timedelta(seconds=5))
    assert deadlines == {"waiting": deadline, "confirmed": 0, "elsewhere": 0}
    store.sweep_deliveries(now=now + timedelta(seconds=6), settings=PipelineSettings())  # its deadline passes
    assert {found.ack_by for found, _ in missed(ada, 0).frames} == {0}


def begin(person, resume, *, resume_asked=True):
    return recovery.begin(person.pk, resume, resume_asked=resume_asked, time_zone="UTC", locale="en")


@pytest.mark.parametrize("seq", [0, 3, 5])
def test_a_client_within_its_sequence_resumes(ada, events, seq) -> None:
    start = begin(ada, Resume(seq, epoch(ada)))
    assert (start.recovered, start.after, start.items) == (True, seq, None)
    assert (start.position.seq, start.position.unread) == (5, 5)


def test_a_client_ahead_of_the_sequence_or_of_another_epoch_gets_a_snapshot(ada, events) -> None:
    for resume in (Resume(6, epoch(ada)), Resume(3, str(uuid.uuid4())), None):
        start = begin(ada, resume)
        assert (start.recovered, start.after) == (False, 5)
        assert [item["seq"] for item in start.items or []] == [5, 4, 3, 2, 1]


def test_a_client_that_missed_too_much_gets_a_snapshot(ada, events, settings) -> None:
    settings.TOCSIN = PipelineSettings(resume_max_events=3)
    assert begin(ada, Resume(2, epoch(ada))).recovered
    assert not begin(ada, Resume(1, epoch(ada))).recovered


def test_a_client_that_does_not_resume_gets_neither_frames_nor_a_snapshot(ada, events) -> None:
    start = begin(ada, None, resume_asked=False)
    assert (start.recovered, start.after, start.items) == (False, 5, None)


def test_a_snapshot_is_bounded_in_number_and_in_bytes(desk, ada) -> None:
    for number in range(60):
        desk.event(ada, event_id=f"e{number}")
    assert [item["seq"] for item in begin(ada, None).items or []] == list(range(60, 10, -1))
    large = {"text": "x" * 400_000}
    for number in range(3):
        desk.event(ada, event_id=f"large-{number}", payload=large)
    assert [item["seq"] for item in begin(ada, None).items or []] == [63, 62]


def test_the_heads_of_many_users_take_one_query(desk, ada, events, django_assert_num_queries) -> None:
    bob = desk.person("bob")
    desk.event(bob, event_id="theirs")
    with django_assert_num_queries(1):
        found = recovery.heads([ada.pk, bob.pk, ada.pk, 10**9])
    assert found == {ada.pk: (5, epoch(ada)), bob.pk: (1, epoch(bob))}
