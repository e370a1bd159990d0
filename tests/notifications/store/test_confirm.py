"""A confirmation from the person's page: the strongest end, and only for their own events."""

from datetime import timedelta

import pytest

from notifications import acks, store
from notifications.models import Attempt, Delivery, Event
from notifications.settings import PipelineSettings
from notifications.states import Channel, FailureKind, Priority
from tests.notifications.desk import claim


@pytest.fixture
def event(desk, ada, chat):
    """The page first, then Telegram."""
    return desk.event(ada, None, chat, priority=Priority.CRITICAL)


@pytest.fixture
def push(desk, event, now):
    def push():
        row = desk.delivery(event)
        success = store.Success(str(row.pk), str(row.lease_token), now, now)
        store.record_pushed([success], [now + timedelta(seconds=5)])

    return push


def test_a_pushed_frame_waits_for_its_confirmation(desk, event, push, now) -> None:
    push()
    row = desk.delivery(event)
    deadline = now + timedelta(seconds=5)
    assert (row.state, row.ack_deadline, row.ring_at, row.ended_at) == ("sent", deadline, deadline, None)
    assert Attempt.objects.get().outcome == "sent"
    event.refresh_from_db()
    assert event.state == "accepted"


def test_a_confirmation_delivers_the_event_with_the_clients_evidence(desk, ada, event, push, now) -> None:
    push()
    effects = store.confirm([(ada.pk, "e1")], now=now)
    event.refresh_from_db()
    row = desk.delivery(event)
    assert (effects.finals, effects.rings) == ([event.pk], [])
    assert (event.state, event.delivered_via, event.evidence) == ("delivered", Channel.WEB, "client")
    assert event.final_at == event.confirmed_at == now
    assert (row.state, row.ring_at, row.ended_at) == ("confirmed", None, now)


def test_a_confirmation_that_comes_before_the_push_was_recorded_holds(desk, ada, event, push, now) -> None:
    row = desk.delivery(event)
    store.confirm([(ada.pk, "e1")], now=now)
    success = store.Success(str(row.pk), str(row.lease_token), now, now)
    store.record_pushed([success], [now + timedelta(seconds=5)])
    row.refresh_from_db()
    assert (row.state, row.ring_at) == ("confirmed", None)


def test_a_late_confirmation_in_the_moment_of_the_end_does_not_tell_it_twice(desk, ada, event, now) -> None:
    Event.objects.update(state="failed", final_at=now)
    assert store.confirm([(ada.pk, "e1")], now=now).finals == []


@pytest.mark.parametrize("state", ["pending", "deferred", "unknown"])
def test_what_waits_on_other_channels_is_cancelled(desk, ada, event, push, now, state) -> None:
    push()
    store.sweep_deliveries(now=now + timedelta(seconds=5), settings=PipelineSettings())
    Delivery.objects.filter(position=1).update(state=state)
    late = now + timedelta(seconds=6)
    store.confirm([(ada.pk, "e1")], now=late)
    row = desk.delivery(event, 1)
    assert (row.state, row.ring_at, row.ended_at) == ("cancelled", None, late)
    event.refresh_from_db()
    assert (event.delivered_via, event.evidence) == (Channel.WEB, "client")
    assert claim([str(row.pk)], now=late, lease_s=55, max_tries=8) == []


def test_a_send_in_flight_is_left_to_its_worker(desk, ada, event, push, records, now) -> None:
    push()
    store.sweep_deliveries(now=now + timedelta(seconds=5), settings=PipelineSettings())
    claimed = desk.claim(desk.delivery(event, 1), now=now + timedelta(seconds=5))
    assert store.confirm([(ada.pk, "e1")], now=now).finals == [event.pk]
    effects, lost = store.record_sent([records.success(claimed)])
    event.refresh_from_db()
    assert (effects.finals, lost, event.delivered_via) == ([], [], Channel.WEB)
    assert desk.delivery(event, 1).state == "sent"


def test_a_late_confirmation_is_noted_and_changes_no_end(desk, ada, event, push, records, now) -> None:
    push()
    store.sweep_deliveries(now=now + timedelta(seconds=5), settings=PipelineSettings())
    records.sent(desk.delivery(event, 1), after_s=5)
    late = now + timedelta(seconds=30)
    effects = store.confirm([(ada.pk, "e1")], now=late)
    event.refresh_from_db()
    assert effects.finals == []
    assert (event.confirmed_at, event.final_at) == (late, now)
    assert (event.delivered_via, event.evidence) == (Channel.TELEGRAM, "transport")
    assert desk.delivery(event).state == "confirmed"


def test_a_confirmation_of_a_dead_letter_does_not_bring_it_back(desk, ada, records, chat, now) -> None:
    event = desk.event(ada, chat)
    records.failed(desk.delivery(event), FailureKind.MESSAGE)
    late = now + timedelta(seconds=30)
    assert store.confirm([(ada.pk, "e1")], now=late).finals == []
    event.refresh_from_db()
    assert (event.state, event.confirmed_at) == ("failed", late)


def test_only_the_first_confirmation_counts(ada, event, push, now) -> None:
    push()
    store.confirm([(ada.pk, "e1")], now=now)
    later = now + timedelta(seconds=1)
    assert store.confirm([(ada.pk, "e1"), (ada.pk, "e1")], now=later).finals == []
    event.refresh_from_db()
    assert event.confirmed_at == now


def test_ids_of_other_persons_and_unknown_ids_are_ignored(desk, event, push, now) -> None:
    push()
    bob = desk.person("bob")
    assert store.confirm([(bob.pk, "e1"), (event.person_id, "nothing")], now=now).finals == []
    event.refresh_from_db()
    assert (event.state, event.confirmed_at, desk.delivery(event).state) == ("accepted", None, "sent")


def test_a_batch_confirms_each_persons_own_event(desk, ada, event, push, now) -> None:
    push()
    bob = desk.person("bob")
    his = desk.event(bob, None, event_id="b1")
    effects = store.confirm([(bob.pk, "b1"), (ada.pk, "e1"), (bob.pk, "e1")], now=now)
    assert sorted(effects.finals) == sorted([event.pk, his.pk])
    assert set(Event.objects.values_list("state", "evidence")) == {("delivered", "client")}


def test_no_confirmations_are_nothing_to_do(db, now) -> None:
    assert acks.confirm([], now=now).finals == []
