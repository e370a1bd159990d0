"""Replays: an end is left for a new acceptance, under the same key, and nothing is sent twice by mistake."""

from collections import Counter
from datetime import timedelta

import pytest

from notifications import acks, store
from notifications.models import Delivery, Event, Replay
from notifications.operations.search import EventFilter
from notifications.operations.timeline import timeline
from notifications.states import Channel, FailureKind, Priority


def test_a_dead_letter_is_accepted_again_under_its_own_key(desk, dead_letter, replay_again, now) -> None:
    done = replay_again()
    before, event = dead_letter, Event.objects.get()
    assert (done.count, +done.skipped, done.remaining) == (1, Counter(), 0)
    assert (event.event_id, event.seq, event.correlation_id) == (before.event_id, before.seq, "c1")
    assert (event.state, event.code, event.final_at, event.replied_at) == ("accepted", "", None, None)
    assert (event.replay_id, event.replay_count) == (done.replay_id, 1)
    assert event.replay_due_at == now + timedelta(seconds=60)


def test_its_new_delivery_stands_behind_the_old_ones_and_is_due(
    desk, dead_letter, replay_again, chat
) -> None:
    done = replay_again()
    old, new = desk.delivery(dead_letter), desk.delivery(dead_letter, 1)
    assert (old.state, old.error, old.replay) == ("failed", "too long", 0)
    assert (new.state, new.destination, new.replay, new.possible_duplicate) == ("pending", chat, 1, False)
    assert [(ring.delivery_id, ring.priority) for ring in done.effects.rings] == [
        (str(new.pk), Priority.CRITICAL)
    ]
    assert new.ring_at > new.not_before  # the doorbell comes before the sweep


def test_it_ends_again_with_a_further_final_ack(desk, dead_letter, replay_again, records) -> None:
    Event.objects.update(reply_to="stream", replied_at=desk.now)
    replay_again()
    effects, lost = records.sent(desk.delivery(dead_letter, 1), after_s=60)
    event = Event.objects.get()
    assert (effects.finals, lost) == ([event.pk], [])
    assert (event.state, event.delivered_via, event.replied_at) == ("delivered", Channel.TELEGRAM, None)
    ack = acks.event_ack(event, event.deliveries.order_by("position"), now=desk.now)
    assert ack.status == "DELIVERED"
    assert [(item.channel, item.state) for item in ack.outcomes] == [
        (Channel.WEB, "skipped"),
        (Channel.TELEGRAM, "sent"),
        (Channel.EMAIL, "skipped"),
    ]


def test_the_person_is_routed_as_they_are_now(desk, ada, dead_letter, replay_again, chat) -> None:
    chat.disabled_at, chat.disabled_reason = desk.now, "blocked"
    chat.save()
    mailbox = desk.address(ada, Channel.EMAIL)
    replay_again()
    event = Event.objects.get()
    assert event.plan == [
        {"channel": 2, "destination_id": chat.pk},
        {"channel": 3, "destination_id": mailbox.pk, "replay": 1},
    ]
    lines = [(line["channel"], line["reason"]) for line in event.trace if line.get("replay")]
    assert lines == [(1, "no_session"), (2, "disabled: blocked"), (3, "usable")]
    assert desk.delivery(event, 1).destination == mailbox


def test_the_producers_channel_list_still_decides(
    desk, ada, chat, mailbox, records, replay_again, choose
) -> None:
    event = desk.event(ada, mailbox, channels=choose(Channel.EMAIL))
    records.failed(desk.delivery(event), FailureKind.CONFIGURATION)
    replay_again()
    assert [step["channel"] for step in Event.objects.get().plan] == [3, 3]


def test_the_next_step_of_a_replay_is_its_own(desk, ada, dead_letter, replay_again, records) -> None:
    desk.address(ada, Channel.EMAIL)
    replay_again()
    records.now = desk.now + timedelta(seconds=61)
    records.failed(desk.delivery(dead_letter, 1), FailureKind.MESSAGE)
    third = desk.delivery(dead_letter, 2)
    assert (third.channel, third.replay, third.state) == (Channel.EMAIL, 1, "pending")
    records.failed(third, FailureKind.MESSAGE)
    event = Event.objects.get()
    assert (event.state, event.code, Delivery.objects.count()) == ("failed", "message", 3)


def test_a_page_confirms_the_replay_and_the_failure_before_stays(
    desk, ada, records, replay_again, now, open_page
) -> None:
    event = desk.event(ada, None)
    store.give_up(
        [str(desk.delivery(event).pk)],
        now=now,
        kind=FailureKind.UNCONFIRMED,
        error="late",
    )
    assert Event.objects.get().state == "accepted"  # the lease of the accepter still holds
    later = now + timedelta(seconds=10)
    store.give_up(
        [str(desk.delivery(event).pk)],
        now=later,
        kind=FailureKind.UNCONFIRMED,
        error="late",
    )
    open_page(ada)
    replay_again()
    store.confirm([(ada.pk, "e1")], now=later)
    assert [row.state for row in Delivery.objects.order_by("position")] == ["failed", "confirmed"]
    assert Event.objects.get().state == "delivered"


def test_an_expired_event_gets_time_again(desk, ada, chat, replay_again, now, override) -> None:
    event = desk.event(ada, chat, expires_s=10)
    store.expire(event.pk, now=now + timedelta(seconds=11))
    override(expiry_normal_s=100)
    assert replay_again().count == 1
    event.refresh_from_db()
    assert (event.state, event.expires_at) == ("accepted", now + timedelta(seconds=160))


def test_what_an_end_left_open_cannot_be_sent_by_the_replay(desk, dead_letter, replay_again, now) -> None:
    Delivery.objects.update(state="deferred", ended_at=None, ring_at=now)
    replay_again()
    assert [row.state for row in Delivery.objects.order_by("position")] == ["cancelled", "pending"]


def test_every_replay_leaves_a_row_that_says_who_did_what(dead_letter, replay_again, now) -> None:
    replay_again(EventFilter(user="ada", priority=Priority.CRITICAL, since=now))
    row = Replay.objects.get()
    assert (row.surface, row.who, row.count, row.forced) == ("command", "tests", 1, False)
    assert row.filter == {
        "user": "ada",
        "priority": "CRITICAL",
        "since": now.isoformat(),
        "states": ["expired", "failed"],
    }
    assert row.at == now + timedelta(seconds=60)
    assert list(row.events.all()) == [dead_letter]
    replay_again()
    assert list(Replay.objects.order_by("at", "count").values_list("count", flat=True)) == [0, 1]


def test_the_story_of_both_acceptances_is_told_in_order(desk, dead_letter, replay_again, records) -> None:
    done = replay_again()
    records.sent(desk.delivery(dead_letter, 1), after_s=60)
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
def test_a_replay_that_two_operators_ask_for_at_once_sends_once(
    desk, ada, chat, replay_again, side_by_side
) -> None:
    for number in range(200):
        desk.event(ada, event_id=f"e{number}")
    done = side_by_side(*[replay_again] * 4)
    assert sum(item.count for item in done) == 200
    assert Delivery.objects.count() == 200
    assert set(Event.objects.values_list("replay_count", flat=True)) == {1}
