"""Events with a key: whose turn it is, and which of them a newer one has replaced."""

from datetime import timedelta
from uuid import uuid4

import pytest

from notifications import store
from notifications.models import Delivery, Event
from notifications.states import Channel, DeliveryState, EventState, FailureKind, Priority
from tests.notifications.desk import claim

pytestmark = pytest.mark.django_db
CRITICAL, NORMAL = Priority.CRITICAL, Priority.NORMAL


@pytest.fixture
def accept(desk, ada, chat):
    """Accept events in one batch, each given by its fields; return what was stored."""

    def accept(*events, person=ada, steps=(chat,), now=desk.now):
        batch = [desk.acceptance(person, *steps_of(fields, steps), **rest(fields)) for fields in events]
        return store.accept(batch, now=now)

    def steps_of(fields, steps):
        return fields["event_id"], *fields.get("steps", steps)

    def rest(fields):
        return {name: value for name, value in fields.items() if name not in ("event_id", "steps")}

    return accept


def ordered(event_id, **fields):
    return {"event_id": event_id, "ordering_key": "order-77"} | fields


def collapsing(event_id, version, **fields):
    return {"event_id": event_id, "collapse_key": "pos-9", "version": version} | fields


def claimable(now) -> list[str]:
    """Return the ids of the events that workers may send now, as the claim itself says."""
    ids = [str(pk) for pk in Delivery.objects.filter(ended_at=None).values_list("pk", flat=True)]
    return sorted(one.event_id for one in claim(ids, now=now))


def state_of(event_id) -> EventState:
    return EventState(Event.objects.get(event_id=event_id).state)


def row_of(event_id, position=0) -> Delivery:
    return Delivery.objects.get(event__event_id=event_id, position=position)


def test_only_the_first_of_one_ordering_key_may_be_sent(desk, accept) -> None:
    stored = accept(ordered("e1"), ordered("e2"), ordered("e3"), {"event_id": "free"})

    assert [one.waits for one in stored] == [False, True, True, False]
    assert claimable(desk.now) == ["e1", "free"]


@pytest.mark.parametrize("together", [True, False])
def test_each_end_lets_the_next_one_go(desk, accept, records, together) -> None:
    names = ["e1", "e2", "e3"]
    for batch in [names] if together else [[name] for name in names]:
        accept(*map(ordered, batch))
    for name, following in zip(names, ["e2", "e3", None], strict=True):
        effects, _ = records.sent(row_of(name))
        rings = store.next_in_line(effects.freed, now=desk.now)
        assert [ring.delivery_id for ring in rings] == ([str(row_of(following).pk)] if following else [])


def test_what_other_people_sources_and_keys_do_holds_nothing_back(desk, accept, ada, chat) -> None:
    bob = desk.person("bob")
    accept(ordered("e1"), ordered("e2", ordering_key="other"), {"event_id": "e3"})
    accept(ordered("e4"), person=bob, steps=(desk.address(bob, Channel.EMAIL),))
    other = desk.other_source()
    store.accept([other.acceptance(ada, "e5", chat, ordering_key="order-77")], now=desk.now)

    assert claimable(desk.now) == ["e1", "e2", "e3", "e4", "e5"]


ENDS = {
    "sent": lambda records, row: records.sent(row)[0],
    "failed": lambda records, row: records.failed(row, FailureKind.MESSAGE),
    "unknown": lambda records, row: records.lost(row),
    "expired": lambda records, row: store.expire(row.event_id, now=records.now + timedelta(hours=2)),
    "confirmed": lambda records, row: store.confirm([(row.event.person_id, "e1")], now=records.now),
    "acknowledged": lambda records, row: store.acknowledge(row.event.person_id, "e1", now=records.now),
    "given up": lambda records, row: store.give_up(
        [str(row.pk)], now=records.now, kind=FailureKind.TEMPORARY, error="used up"
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_whatever_ends_the_first_one_lets_the_second_go(desk, accept, records, end) -> None:
    accept(ordered("e1"), ordered("e2", expires_s=10_000))
    effects = ENDS[end](records, row_of("e1"))

    assert state_of("e1") is not EventState.ACCEPTED
    assert [ring.delivery_id for ring in store.next_in_line(effects.freed, now=desk.now)] == [
        str(row_of("e2").pk)
    ]
    assert claimable(desk.now) == ["e2"]


def test_one_that_failed_goes_to_its_next_channel_first(desk, accept, records, mailbox, chat) -> None:
    accept(ordered("e1", steps=(chat, mailbox)), ordered("e2"))
    records.failed(row_of("e1"), FailureKind.MESSAGE)

    assert claimable(desk.now) == ["e1"]


def test_one_that_is_tried_again_later_holds_the_others_back(desk, accept, records) -> None:
    accept(ordered("e1"), ordered("e2"))
    failure = records.failure(desk.claim(row_of("e1")), "temporary")
    later = desk.now + timedelta(seconds=30)
    store.record_deferred(failure, not_before=later, ring_at=later)

    assert claimable(desk.now) == []
    assert claimable(later) == ["e1"]


def test_a_send_in_flight_of_an_ended_event_holds_the_next_one_back_until_it_is_recorded(
    desk, accept, records, ada
) -> None:
    accept(ordered("e1"), ordered("e2"))
    claimed = desk.claim(row_of("e1"))
    store.confirm([(ada.pk, "e1")], now=desk.now)
    assert (state_of("e1"), claimable(desk.now)) == (EventState.DELIVERED, [])

    effects, _ = store.record_sent([records.success(claimed)])
    assert [ring.delivery_id for ring in store.next_in_line(effects.freed, now=desk.now)]
    assert claimable(desk.now) == ["e2"]


def test_a_send_in_flight_whose_worker_died_holds_the_next_one_back_for_its_lease(desk, accept, ada) -> None:
    accept(ordered("e1"), ordered("e2"))
    desk.claim(row_of("e1"))
    store.confirm([(ada.pk, "e1")], now=desk.now)

    assert claimable(desk.now + timedelta(seconds=54)) == []
    assert claimable(desk.now + timedelta(seconds=56)) == ["e2"]


def test_pages_do_not_wait_for_they_have_the_sequence(desk, accept) -> None:
    stored = accept(ordered("e1"), ordered("e2", steps=(None,)), ordered("e3", steps=(None,)))

    assert [one.waits for one in stored] == [False, False, False]
    assert {row_of(name).state for name in ("e2", "e3")} == {DeliveryState.SENDING}


def test_a_claim_under_way_cannot_overtake_although_the_row_was_seen_before(desk, accept, records) -> None:
    """Two workers look at the second event while the first one is open; only the claim decides."""
    accept(ordered("e1"), ordered("e2"))
    [seen] = store.look_up([str(row_of("e2").pk)], now=desk.now, max_tries=8)

    assert (seen.ahead, seen.behind_critical) == (("e1",), False)
    assert store.claim([seen], token=uuid4(), now=desk.now, lease_s=55) == []
    records.sent(row_of("e1"))
    assert len(store.claim([seen], token=uuid4(), now=desk.now, lease_s=55)) == 1


def test_critical_does_not_wait_for_what_the_persons_wishes_hold_back(desk, accept) -> None:
    accept(ordered("e1"))
    night = desk.now + timedelta(hours=8)
    Delivery.objects.update(held_until=night, not_before=night, ring_at=night)
    accept(ordered("e2"), ordered("e3", priority=CRITICAL, ordering_key="order-77"))

    assert claimable(desk.now) == []  # e3 waits for e2, which waits
    Delivery.objects.filter(event__event_id="e2").update(held_until=night, not_before=night)
    assert claimable(desk.now) == ["e3"]


# --- supersession -------------------------------------------------------------------------------------------

ARRIVALS = {
    # batches of (id, version), and what is left to send
    "the newest of one batch": ([[("e1", 1), ("e3", 3), ("e2", 2)]], "e3"),
    "the newest of several": ([[("e1", 1)], [("e3", 3)], [("e2", 2)]], "e3"),
    "the newest came first": ([[("e3", 3)], [("e1", 1), ("e2", 2)]], "e3"),
    "without versions the last": ([[("e1", 0), ("e2", 0)], [("e3", 0)]], "e3"),
    "of equal versions the last": ([[("e2", 2)], [("e3", 2)], [("e1", 1)]], "e3"),
    "no version is the lowest": ([[("e3", 1)], [("e1", 0)]], "e3"),
    "below zero": ([[("e1", -5), ("e3", -1), ("e2", -3)]], "e3"),
}


@pytest.mark.parametrize("arrival", ARRIVALS)
def test_a_pause_ends_with_the_newest_alone(desk, accept, arrival) -> None:
    batches, newest = ARRIVALS[arrival]
    for batch in batches:
        accept(*(collapsing(*one) for one in batch))

    assert claimable(desk.now) == [newest]
    for event in Event.objects.exclude(event_id=newest):
        assert (event.state, event.code, event.final_at) == ("superseded", "superseded", desk.now)
        assert event.trace[-1]["reason"] == "superseded"
    assert not Delivery.objects.exclude(event__event_id=newest).filter(ended_at=None).exists()


def test_the_superseded_ones_are_told_and_named_by_what_took_their_place(desk, accept) -> None:
    [first] = accept(collapsing("e1", 1))
    [second, third] = accept(collapsing("e3", 3), collapsing("e2", 2))

    assert first.state is second.state is EventState.ACCEPTED
    assert (third.state, third.superseded_by, third.final_at) == (EventState.SUPERSEDED, "e3", desk.now)
    assert second.effects is not None and second.effects.finals == [first.event_pk]
    line = Event.objects.get(pk=first.event_pk).trace[-1]
    assert (line["by"], line["version"], line["channel"]) == ("e3", 3, Channel.TELEGRAM)


def test_an_older_state_that_comes_after_the_newer_one_was_delivered_is_not_sent(
    desk, accept, records
) -> None:
    accept(collapsing("e3", 3))
    records.sent(row_of("e3"))
    [late] = accept(collapsing("e2", 2))

    assert (late.state, late.superseded_by) == (EventState.SUPERSEDED, "e3")
    assert claimable(desk.now) == []


def test_the_newer_state_waits_for_the_send_of_an_older_one_that_is_in_flight(desk, accept, records) -> None:
    accept(collapsing("e1", 1))
    claimed = desk.claim(row_of("e1"))
    accept(collapsing("e2", 2))
    assert (state_of("e1"), row_of("e1").state) == (EventState.SUPERSEDED, DeliveryState.SENDING)
    assert claimable(desk.now) == []

    effects, lost = store.record_sent([records.success(claimed)])
    assert (effects.finals, lost, state_of("e1")) == ([], [], EventState.SUPERSEDED)
    assert [ring.delivery_id for ring in store.next_in_line(effects.freed, now=desk.now)]
    assert claimable(desk.now) == ["e2"]


def test_an_older_one_is_not_tried_again_after_its_send_failed(desk, accept, records) -> None:
    accept(collapsing("e1", 1))
    failure = records.failure(desk.claim(row_of("e1")), "temporary")
    accept(collapsing("e2", 2))
    store.record_deferred(failure, not_before=desk.now, ring_at=desk.now)

    assert claimable(desk.now) == ["e2"]


def test_a_more_urgent_older_state_comes_first_and_is_not_given_up(desk, accept, records) -> None:
    accept(collapsing("e1", 1, priority=CRITICAL), collapsing("e2", 2, priority=CRITICAL))
    accept(collapsing("e3", 3, priority=NORMAL))

    assert [state_of(name) for name in ("e1", "e2", "e3")] == ["superseded", "accepted", "accepted"]
    assert claimable(desk.now) == ["e2"]


def test_a_superseded_event_is_in_no_inbox_and_not_unread(desk, accept, ada) -> None:
    from notifications.live import inbox, recovery

    accept(collapsing("e1", 1), collapsing("e2", 2))
    shown = inbox.page(ada.pk, time_zone="UTC", locale="en", before=None, limit=10)
    missed = recovery.missed(ada.pk, after=0, limit=10, time_zone="UTC", locale="en")

    assert [item["event_id"] for item in shown] == ["e2"]
    assert inbox.unread(ada.pk) == 1
    assert ([head.seq for head, _ in missed.frames], missed.through) == ([2], 2)


def test_a_page_that_has_the_older_one_does_not_revive_it(desk, accept, ada) -> None:
    accept(collapsing("e1", 1, steps=(None,)))
    accept(collapsing("e2", 2, steps=(None,)))
    store.confirm([(ada.pk, "e1"), (ada.pk, "e2")], now=desk.now)

    assert (state_of("e1"), row_of("e1").state) == (EventState.SUPERSEDED, DeliveryState.CANCELLED)
    assert state_of("e2") is EventState.DELIVERED


def test_with_both_keys_the_end_of_the_superseded_lets_the_next_one_go(desk, accept) -> None:
    [first, _, third] = accept(
        ordered("e1", collapse_key="pos-9", version=1),
        ordered("e2", collapse_key="pos-9", version=2),
        ordered("e3"),
    )
    assert first.superseded_by == "e2"
    assert claimable(desk.now) == ["e2"]
    assert third.waits
