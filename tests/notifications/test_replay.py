"""Replays: an end is left for a new acceptance, under the same key, and nothing is sent twice by mistake."""

from collections import Counter
from datetime import timedelta

import pytest

from notifications import acks, store
from notifications.models import Delivery, Event, Replay
from notifications.replay import Operator, preview, replay
from notifications.search import EventFilter
from notifications.states import Channel, EventState, FailureKind, Priority, Surface
from notifications.timeline import timeline

ANYBODY = Operator(Surface.COMMAND, "tests")
EVERY = EventFilter()


@pytest.fixture
def again(now):
    """Replay at the given time, plus some seconds."""

    def run(which=EVERY, *, after_s=60.0, **how):
        return replay(which, by=ANYBODY, now=now + timedelta(seconds=after_s), **how)

    return run


@pytest.fixture
def dead(desk, ada, chat, records):
    """A dead letter: Telegram refused the message."""
    event = desk.event(ada, chat, priority=Priority.CRITICAL, correlation_id="c1")
    records.failed(desk.delivery(event), FailureKind.MESSAGE, "too long")
    event.refresh_from_db()
    assert event.state == "failed"
    return event


def succeed(desk, records, row, *, after_s=60.0):
    return store.succeed([records.success(desk.claim(row, now=desk.now + timedelta(seconds=after_s)))])


def test_a_dead_letter_is_accepted_anew_under_its_own_key(desk, dead, again, now) -> None:
    done = again()
    before, event = dead, Event.objects.get()
    assert (done.count, +done.skipped, done.remaining) == (1, Counter(), 0)
    assert (event.event_id, event.seq, event.correlation_id) == (before.event_id, before.seq, "c1")
    assert (event.state, event.code, event.final_at, event.replied_at) == ("accepted", "", None, None)
    assert (event.replay_id, event.replay_count) == (done.replay_id, 1)
    assert event.replay_due_at == now + timedelta(seconds=60)


def test_its_new_delivery_stands_behind_the_old_ones_and_is_due(desk, dead, again, chat) -> None:
    done = again()
    old, new = desk.delivery(dead), desk.delivery(dead, 1)
    assert (old.state, old.error, old.replay) == ("failed", "too long", 0)
    assert (new.state, new.destination, new.replay, new.possible_duplicate) == ("pending", chat, 1, False)
    assert [(ring.delivery_id, ring.priority) for ring in done.aftermath.rings] == [
        (str(new.pk), Priority.CRITICAL)
    ]
    assert new.ring_at > new.not_before  # the doorbell comes before the sweep


def test_it_ends_again_with_a_further_final_ack(desk, dead, again, records) -> None:
    Event.objects.update(reply_to="stream", replied_at=desk.now)
    again()
    aftermath, lost = succeed(desk, records, desk.delivery(dead, 1))
    event = Event.objects.get()
    assert (aftermath.finals, lost) == ([event.pk], [])
    assert (event.state, event.delivered_via, event.replied_at) == ("delivered", Channel.TELEGRAM, None)
    ack = acks.event_ack(event, event.deliveries.order_by("position"), now=desk.now)
    assert ack.status == "DELIVERED"
    assert [(item.channel, item.state) for item in ack.outcomes] == [
        (Channel.WEB, "skipped"),
        (Channel.TELEGRAM, "sent"),
        (Channel.EMAIL, "skipped"),
    ]


def test_the_person_is_routed_as_they_are_now(desk, ada, dead, again, chat) -> None:
    chat.disabled_at, chat.disabled_reason = desk.now, "blocked"
    chat.save()
    mailbox = desk.address(ada, Channel.EMAIL)
    again()
    event = Event.objects.get()
    assert event.plan == [
        {"channel": 2, "destination_id": chat.pk},
        {"channel": 3, "destination_id": mailbox.pk, "replay": 1},
    ]
    lines = [(line["channel"], line["reason"]) for line in event.trace if line.get("replay")]
    assert lines == [(1, "no_session"), (2, "disabled: blocked"), (3, "usable")]
    assert desk.delivery(event, 1).destination == mailbox


def test_the_producers_channel_list_still_decides(desk, ada, chat, mailbox, records, again, choose) -> None:
    event = desk.event(ada, mailbox, channels=choose(Channel.EMAIL))
    records.failed(desk.delivery(event), FailureKind.CONFIGURATION)
    again()
    assert [step["channel"] for step in Event.objects.get().plan] == [3, 3]


def test_the_next_step_of_a_replay_is_its_own(desk, ada, dead, again, records) -> None:
    desk.address(ada, Channel.EMAIL)
    again()
    records.now = desk.now + timedelta(seconds=61)
    records.failed(desk.delivery(dead, 1), FailureKind.TEMPORARY)
    third = desk.delivery(dead, 2)
    assert (third.channel, third.replay, third.state) == (Channel.EMAIL, 1, "pending")
    records.failed(third, FailureKind.TEMPORARY)
    event = Event.objects.get()
    assert (event.state, event.code, Delivery.objects.count()) == ("failed", "temporary", 3)


def test_a_second_replay_sends_nothing_while_the_first_is_on_its_way(dead, again) -> None:
    again()
    second = again(EventFilter(event_ids=("e1",)))
    assert (second.count, +second.skipped, second.aftermath.rings) == (0, Counter(running=1), [])
    assert again(EventFilter(event_ids=("e1",)), force=True).count == 0
    assert Delivery.objects.count() == 2


def test_a_second_replay_sends_nothing_once_the_first_has_delivered(desk, dead, again, records) -> None:
    again()
    succeed(desk, records, desk.delivery(dead, 1))
    second = again(EventFilter(event_ids=("e1",)))
    assert (second.count, +second.skipped) == (0, Counter(delivered=1))
    assert again().count == 0
    assert Delivery.objects.count() == 2


def test_a_forced_one_is_sent_again_and_marked(desk, dead, again, records) -> None:
    again()
    succeed(desk, records, desk.delivery(dead, 1))
    assert again(force=True).count == 0  # a filter without a state still means dead letters
    assert again(EventFilter(event_ids=("e1",)), force=True).count == 1
    third = desk.delivery(dead, 2)
    assert (third.replay, third.possible_duplicate) == (2, True)
    event = Event.objects.get()
    assert [(end["state"], end["forced"]) for end in event.history] == [
        ("failed", False),
        ("delivered", True),
    ]


def test_a_dead_letter_that_fails_again_may_be_replayed_again(desk, dead, again, records) -> None:
    again()
    records.now = desk.now + timedelta(seconds=61)
    records.failed(desk.delivery(dead, 1), FailureKind.MESSAGE)
    assert again(after_s=120).count == 1
    assert desk.delivery(dead, 2).replay == 2


def test_what_may_have_arrived_is_marked_as_a_possible_duplicate(desk, ada, chat, records, again) -> None:
    event = desk.event(ada, chat)
    records.lost(desk.delivery(event))
    assert Event.objects.get().code == "outcome_unknown"
    again()
    assert desk.delivery(event, 1).possible_duplicate


def test_an_event_that_the_page_confirmed_late_is_left_alone(desk, ada, dead, again, now) -> None:
    store.confirm([(ada.pk, "e1")], now=now)
    assert +again(EventFilter(event_ids=("e1",))).skipped == Counter(confirmed=1)
    assert again(EventFilter(event_ids=("e1",)), force=True).count == 1
    assert Event.objects.get().confirmed_at is None  # or the page could not confirm it once more


def test_a_page_confirms_the_replay_and_the_failure_before_stays(
    desk, ada, records, again, now, open_page
) -> None:
    event = desk.event(ada, None)
    store.give_up(
        [str(desk.delivery(event).pk)],
        now=now,
        kind=FailureKind.UNCONFIRMED,
        error="late",
        code="unconfirmed",
    )
    assert Event.objects.get().state == "accepted"  # the lease of the accepter still holds
    later = now + timedelta(seconds=10)
    store.give_up(
        [str(desk.delivery(event).pk)],
        now=later,
        kind=FailureKind.UNCONFIRMED,
        error="late",
        code="unconfirmed",
    )
    open_page(ada)
    again()
    store.confirm([(ada.pk, "e1")], now=later)
    assert [row.state for row in Delivery.objects.order_by("position")] == ["failed", "confirmed"]
    assert Event.objects.get().state == "delivered"


def test_an_expired_event_gets_time_anew(desk, ada, chat, again, now, knobs) -> None:
    event = desk.event(ada, chat, expires_s=10)
    store.advance.expire(event.pk, now=now + timedelta(seconds=11))
    knobs(expiry_normal_s=100)
    assert again().count == 1
    event.refresh_from_db()
    assert (event.state, event.expires_at) == ("accepted", now + timedelta(seconds=160))


def test_an_event_that_nobody_could_receive_stays_a_dead_letter(desk, ada, again) -> None:
    event = desk.event(ada)
    done = again()
    assert (done.count, +done.skipped) == (0, Counter(no_channel=1))
    before = event.final_at
    event.refresh_from_db()
    assert (event.state, event.final_at, event.replay_count) == ("failed", before, 0)


def test_a_person_who_is_gone_receives_nothing(desk, ada, dead, again) -> None:
    ada.is_active = False
    ada.save()
    assert +again().skipped == Counter(unknown_user=1)


def test_what_an_end_left_open_cannot_be_sent_by_the_replay(desk, dead, again, now) -> None:
    Delivery.objects.update(state="deferred", ended_at=None, ring_at=now)
    again()
    assert [row.state for row in Delivery.objects.order_by("position")] == ["cancelled", "pending"]


def test_a_send_in_flight_is_waited_for(desk, dead, again, now) -> None:
    Delivery.objects.update(state="sending", ended_at=None, ring_at=now, lease_until=now)
    assert +again().skipped == Counter(in_flight=1)
    assert Event.objects.get().state == "failed"


@pytest.mark.parametrize("priority", [Priority.NORMAL, Priority.CRITICAL])
def test_replays_are_paced(desk, ada, chat, again, now, knobs, priority) -> None:
    knobs(replay_per_s=10)
    for number in range(25):
        desk.event(ada, event_id=f"e{number}", priority=priority)
    done = again(after_s=0)
    due = Counter((row.not_before - now).total_seconds() for row in Delivery.objects.all())
    assert due == {0.0: 10, 1.0: 10, 2.0: 5}
    assert (done.count, len(done.aftermath.rings)) == (25, 10)
    assert done.paced_until == now + timedelta(seconds=2.5)
    waiting = Delivery.objects.filter(not_before__gt=now)
    assert [row.ring_at == row.not_before for row in waiting] == [True] * 15


def test_replays_share_one_pace(desk, ada, chat, again, now, knobs) -> None:
    knobs(replay_per_s=10)
    for number in range(40):
        desk.event(ada, event_id=f"e{number}")
    again(after_s=0, limit=20)
    again(after_s=0, limit=20)
    due = Counter((row.not_before - now).total_seconds() for row in Delivery.objects.all())
    assert due == {0.0: 10, 1.0: 10, 2.0: 10, 3.0: 10}


def test_the_sweep_rings_for_what_waited(desk, ada, chat, again, now, knobs) -> None:
    from notifications.knobs import Knobs

    knobs(replay_per_s=1)
    for number in range(3):
        desk.event(ada, event_id=f"e{number}")
    again(after_s=0)
    found = store.rings_due(now=now + timedelta(seconds=1), knobs=Knobs()).rings
    late = Delivery.objects.get(not_before=now + timedelta(seconds=1))
    assert [ring.delivery_id for ring in found] == [str(late.pk)]
    assert desk.claim(late, now=now + timedelta(seconds=1)).attempt == 1


def test_critical_ones_go_first_and_a_limit_leaves_the_rest(desk, ada, chat, again) -> None:
    desk.event(ada, event_id="normal")
    desk.event(ada, event_id="critical", priority=Priority.CRITICAL)
    done = again(limit=1)
    assert (done.count, done.remaining) == (1, 1)
    assert Event.objects.get(state="accepted").event_id == "critical"


def test_every_replay_leaves_a_row_that_says_who_did_what(dead, again, now) -> None:
    again(EventFilter(user="ada", priority=Priority.CRITICAL, since=now))
    row = Replay.objects.get()
    assert (row.surface, row.who, row.count, row.forced) == ("command", "tests", 1, False)
    assert row.filter == {
        "user": "ada",
        "priority": "CRITICAL",
        "since": now.isoformat(),
        "states": ["expired", "failed"],
    }
    assert row.at == now + timedelta(seconds=60)
    assert list(row.events.all()) == [dead]
    again()
    assert list(Replay.objects.order_by("at", "count").values_list("count", flat=True)) == [0, 1]


def test_a_preview_counts_and_changes_nothing(desk, ada, chat, dead) -> None:
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
def test_a_filter_narrows(dead, which, count) -> None:
    assert preview(which, force=False).count == count


def test_a_filter_by_time_includes_its_start_and_not_its_end(dead, now) -> None:
    later = now + timedelta(seconds=1)
    assert preview(EventFilter(since=now, until=later), force=False).count == 1
    assert preview(EventFilter(since=later), force=False).count == 0
    assert preview(EventFilter(until=now), force=False).count == 0


def test_the_story_of_both_acceptances_is_told_in_order(desk, dead, again, records) -> None:
    done = again()
    succeed(desk, records, desk.delivery(dead, 1))
    records.now = desk.now + timedelta(seconds=60)
    event = Event.objects.get()
    Event.objects.update(final_at=desk.now + timedelta(seconds=61))
    event.refresh_from_db()
    steps = timeline(event, event.deliveries.prefetch_related("tries").order_by("position"))
    kinds = [step["kind"] for step in steps if step["kind"] != "attempt"]
    assert [kind for kind in kinds if kind in {"accepted", "final", "replayed"}] == [
        "accepted",
        "final",
        "replayed",
        "final",
    ]
    [told] = [step["text"] for step in steps if step["kind"] == "replayed"]
    assert str(done.replay_id) in told
    assert "next" not in kinds


@pytest.mark.django_db(transaction=True)
def test_a_replay_that_two_operators_ask_for_at_once_sends_once(desk, ada, chat, again, side_by_side) -> None:
    for number in range(200):
        desk.event(ada, event_id=f"e{number}")
    done = side_by_side(*[again] * 4)
    assert sum(item.count for item in done) == 200
    assert Delivery.objects.count() == 200
    assert set(Event.objects.values_list("replay_count", flat=True)) == {1}
