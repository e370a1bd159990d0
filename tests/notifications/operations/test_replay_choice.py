"""Which events a replay takes on: none that was delivered or is on its way, unless by force."""

from collections import Counter
from datetime import timedelta

import pytest

from notifications import store
from notifications.models import Delivery, Event, Replay
from notifications.operations.replay import preview
from notifications.operations.search import EventFilter
from notifications.states import EventState, FailureKind, Priority


def test_a_second_replay_sends_nothing_while_the_first_is_on_its_way(dead_letter, replay_again) -> None:
    replay_again()
    second = replay_again(EventFilter(event_ids=("e1",)))
    assert (second.count, +second.skipped, second.effects.rings) == (0, Counter(running=1), [])
    assert replay_again(EventFilter(event_ids=("e1",)), force=True).count == 0
    assert Delivery.objects.count() == 2


def test_a_second_replay_sends_nothing_once_the_first_has_delivered(
    desk, dead_letter, replay_again, records
) -> None:
    replay_again()
    records.sent(desk.delivery(dead_letter, 1), after_s=60)
    second = replay_again(EventFilter(event_ids=("e1",)))
    assert (second.count, +second.skipped) == (0, Counter(delivered=1))
    assert replay_again().count == 0
    assert Delivery.objects.count() == 2


def test_a_forced_one_is_sent_again_and_marked(desk, dead_letter, replay_again, records) -> None:
    replay_again()
    records.sent(desk.delivery(dead_letter, 1), after_s=60)
    assert replay_again(force=True).count == 0  # a filter without a state still means dead letters
    assert replay_again(EventFilter(event_ids=("e1",)), force=True).count == 1
    third = desk.delivery(dead_letter, 2)
    assert (third.replay, third.possible_duplicate) == (2, True)
    event = Event.objects.get()
    assert [(end["state"], end["forced"]) for end in event.history] == [
        ("failed", False),
        ("delivered", True),
    ]


def test_a_dead_letter_that_fails_again_may_be_replayed_again(
    desk, dead_letter, replay_again, records
) -> None:
    replay_again()
    records.now = desk.now + timedelta(seconds=61)
    records.failed(desk.delivery(dead_letter, 1), FailureKind.MESSAGE)
    assert replay_again(after_s=120).count == 1
    assert desk.delivery(dead_letter, 2).replay == 2


def test_what_may_have_arrived_is_marked_as_a_possible_duplicate(
    desk, ada, chat, records, replay_again
) -> None:
    event = desk.event(ada, chat)
    records.lost(desk.delivery(event))
    assert Event.objects.get().code == "outcome_unknown"
    replay_again()
    assert desk.delivery(event, 1).possible_duplicate


def test_an_event_that_the_page_confirmed_late_is_left_alone(
    desk, ada, dead_letter, replay_again, now
) -> None:
    store.confirm([(ada.pk, "e1")], now=now)
    assert +replay_again(EventFilter(event_ids=("e1",))).skipped == Counter(confirmed=1)
    assert replay_again(EventFilter(event_ids=("e1",)), force=True).count == 1
    assert Event.objects.get().confirmed_at is None  # or the page could not confirm it once more


def test_an_event_that_nobody_could_receive_stays_a_dead_letter(desk, ada, replay_again) -> None:
    event = desk.event(ada)
    done = replay_again()
    assert (done.count, +done.skipped) == (0, Counter(no_channel=1))
    before = event.final_at
    event.refresh_from_db()
    assert (event.state, event.final_at, event.replay_count) == ("failed", before, 0)


def test_a_person_who_is_gone_receives_nothing(desk, ada, dead_letter, replay_again) -> None:
    ada.is_active = False
    ada.save()
    assert +replay_again().skipped == Counter(unknown_user=1)


def test_a_send_in_flight_is_waited_for(desk, dead_letter, replay_again, now) -> None:
    Delivery.objects.update(state="sending", ended_at=None, ring_at=now, lease_until=now)
    assert +replay_again().skipped == Counter(in_flight=1)
    assert Event.objects.get().state == "failed"


def test_critical_ones_go_first_and_a_limit_leaves_the_rest(desk, ada, chat, replay_again) -> None:
    desk.event(ada, event_id="normal")
    desk.event(ada, event_id="critical", priority=Priority.CRITICAL)
    done = replay_again(limit=1)
    assert (done.count, done.remaining) == (1, 1)
    assert Event.objects.get(state="accepted").event_id == "critical"


def test_a_preview_counts_and_changes_nothing(desk, ada, chat, dead_letter) -> None:
    desk.event(ada, chat, event_id="running")
    which = EventFilter(event_ids=("e1", "running", "nobody"))
    found = preview(which, force=False)
    assert (found.count, +found.skipped) == (1, Counter(running=1, not_found=1))
    assert (Replay.objects.count(), Delivery.objects.count()) == (0, 2)


@pytest.mark.parametrize(
    ("which", "count"),
    [
        (EventFilter(user="ada"), 1),
        (EventFilter(user="bob"), 0),
        (EventFilter(event_type="ORDER_FILLED"), 1),
        (EventFilter(event_type="ORDER"), 0),
        (EventFilter(priority=Priority.CRITICAL), 1),
        (EventFilter(priority=Priority.INFORMATIONAL), 0),
        (EventFilter(states=(EventState.EXPIRED,)), 0),
        (EventFilter(source="exchange"), 1),
        (EventFilter(source="other"), 0),
    ],
)
def test_a_filter_narrows(dead_letter, which, count) -> None:
    assert preview(which, force=False).count == count


def test_a_filter_by_time_includes_its_start_and_not_its_end(dead_letter, now) -> None:
    later = now + timedelta(seconds=1)
    assert preview(EventFilter(since=now, until=later), force=False).count == 1
    assert preview(EventFilter(since=later), force=False).count == 0
    assert preview(EventFilter(until=now), force=False).count == 0


def test_an_older_state_is_not_replayed_once_a_newer_one_was_accepted(
    desk, ada, chat, records, replay_again
) -> None:
    for name, version in (("e1", 1), ("e2", 2)):
        event = desk.event(ada, chat, event_id=name, collapse_key="pos-9", version=version)
        records.failed(desk.delivery(event), FailureKind.MESSAGE)
    found = replay_again()

    assert (found.count, +found.skipped) == (1, Counter(superseded=1))
    assert dict(Event.objects.values_list("event_id", "state")) == {"e1": "failed", "e2": "accepted"}
