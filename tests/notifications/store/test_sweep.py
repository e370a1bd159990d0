"""The retry of record: what the sweep does with every row whose time has come."""

from dataclasses import replace
from datetime import timedelta

import pytest

from notifications import store
from notifications.models import Attempt, Delivery, Event
from notifications.settings import PipelineSettings
from notifications.states import AttemptOutcome, FailureKind, Priority
from notifications.sweep import sweep

SETTINGS = PipelineSettings()
CRITICAL = Priority.CRITICAL
GIVEN_UP = {"kind": FailureKind.TEMPORARY, "error": "used up"}


@pytest.fixture
def after(now):
    """Sweep a given number of seconds after now."""

    def after(seconds, **override):
        return store.sweep_deliveries(
            now=now + timedelta(seconds=seconds), settings=replace(SETTINGS, **override)
        )

    return after


def rung(effects):
    return [ring.delivery_id for ring in effects.rings]


def test_a_pending_row_rings_after_its_doorbell_had_time(desk, ada, chat, after) -> None:
    row = desk.delivery(desk.event(ada, chat))
    assert rung(after(4.9)) == []
    effects = after(5)
    assert rung(effects) == [str(row.pk)]
    assert (effects.rings[0].priority, effects.rings[0].alone) == (Priority.NORMAL, False)


def test_a_row_does_not_ring_again_at_once(desk, ada, chat, after) -> None:
    desk.event(ada, chat)
    assert len(rung(after(5, ring_again_s=60))) == 1
    assert rung(after(64.9)) == []
    assert len(rung(after(65))) == 1


def test_a_row_that_was_tried_before_rings_alone(desk, ada, chat, records, now, after) -> None:
    failure = records.failure(desk.claim(desk.delivery(desk.event(ada, chat))), AttemptOutcome.TEMPORARY)
    store.record_deferred(failure, not_before=now, ring_at=now + timedelta(seconds=9))
    assert rung(after(8)) == []
    assert [ring.alone for ring in after(9).rings] == [True]


def test_the_most_urgent_rows_are_taken_first_and_no_more_than_the_limit(desk, ada, chat, after) -> None:
    normal = desk.event(ada, chat, event_id="n")
    urgent = [desk.event(ada, chat, event_id=f"c{n}", priority=CRITICAL) for n in range(2)]
    first = rung(after(5, sweep_limit=2))
    assert set(first) == {str(desk.delivery(event).pk) for event in urgent}
    assert rung(after(5, sweep_limit=2)) == [str(desk.delivery(normal).pk)]


def test_a_page_that_did_not_confirm_gives_way_to_the_next_channel_exactly_once(
    desk, ada, chat, records, now, after
) -> None:
    event = desk.event(ada, None, chat, priority=CRITICAL)
    row, deadline = desk.delivery(event), now + timedelta(seconds=5)
    store.record_pushed([store.Success(str(row.pk), str(row.lease_token), now, now)], [deadline])
    assert rung(after(4.9)) == []
    effects = after(5)
    row.refresh_from_db()
    assert (row.state, row.failure_kind, row.ended_at) == ("failed", "unconfirmed", deadline)
    assert rung(effects) == [str(desk.delivery(event, 1).pk)]
    assert rung(after(9.9)) == []
    assert Delivery.objects.count() == 2


def test_a_page_whose_accepter_died_before_the_push_gives_way_too(desk, ada, chat, after) -> None:
    event = desk.event(ada, None, chat)
    assert rung(after(5)) == [str(desk.delivery(event, 1).pk)]
    assert desk.delivery(event).state == "failed"


def test_a_page_without_a_next_channel_ends_the_event(desk, ada, after) -> None:
    event = desk.event(ada, None)
    assert after(5).finals == [event.pk]
    event.refresh_from_db()
    assert (event.state, event.code) == ("failed", "unconfirmed")


def test_a_later_page_whose_worker_died_before_the_push_gives_way_after_its_lease(
    desk, ada, chat, mailbox, records, after
) -> None:
    event = desk.event(ada, chat, None, mailbox, priority=CRITICAL)
    records.failed(desk.delivery(event), FailureKind.MESSAGE)
    desk.claim(desk.delivery(event, 1), lease_s=55)
    assert rung(after(54.9)) == []
    assert rung(after(55)) == [str(desk.delivery(event, 2).pk)]


def test_a_send_under_a_lease_is_left_alone(desk, ada, chat, after) -> None:
    row = desk.delivery(desk.event(ada, chat))
    token = desk.claim(row).token
    Delivery.objects.update(ring_at=desk.now)
    assert after(54) == store.sweep_deliveries(now=desk.now, settings=SETTINGS)  # nothing, both times
    row.refresh_from_db()
    assert (row.state, str(row.lease_token)) == ("sending", token)


def test_a_lease_that_ended_is_an_unknown_outcome(desk, ada, chat, mailbox, now, after) -> None:
    event = desk.event(ada, chat, mailbox, priority=CRITICAL)
    desk.claim(desk.delivery(event))
    effects = after(55)
    first, second = desk.delivery(event), desk.delivery(event, 1)
    assert (first.state, first.error, first.lease_token) == ("unknown", "the lease expired", None)
    assert second.possible_duplicate
    assert rung(effects) == [str(second.pk)]
    attempt = Attempt.objects.get()
    assert (attempt.outcome, attempt.number, attempt.started_at) == ("lease_expired", 1, now)


def test_a_send_in_flight_in_a_backup_has_its_one_repeat_after_the_restore(desk, ada, chat, after) -> None:
    event = desk.event(ada, chat, priority=CRITICAL)
    desk.claim(desk.delivery(event))
    assert store.declare_restored()[1] == 1
    after(30)  # its lease, whose worker is no more, would have lasted for longer
    row = desk.delivery(event)
    assert (row.state, row.possible_duplicate, row.ended_at) == ("unknown", True, None)


def test_a_lease_of_a_normal_event_that_ended_is_not_repeated(desk, ada, chat, mailbox, after) -> None:
    event = desk.event(ada, chat, mailbox)
    desk.claim(desk.delivery(event))
    assert after(55).finals == [event.pk]
    event.refresh_from_db()
    assert (event.state, event.code) == ("failed", "outcome_unknown")


def test_the_one_repeat_rings_when_its_wait_is_over(desk, ada, chat, records, after) -> None:
    row = desk.delivery(desk.event(ada, chat, priority=CRITICAL))
    records.lost(row, backoff_s=30)
    assert rung(after(29.9)) == []
    assert rung(after(30)) == [str(row.pk)]


def test_a_row_whose_tries_are_used_up_gives_way_to_the_next_channel(desk, ada, chat, mailbox, after) -> None:
    event = desk.event(ada, chat, mailbox)
    Delivery.objects.update(state="deferred", attempts=3)
    assert rung(after(5, max_tries=3)) == [str(desk.delivery(event, 1).pk)]
    row = desk.delivery(event)
    assert (row.state, row.failure_kind, row.error) == ("failed", "temporary", "tries used up")


def test_an_event_whose_time_is_over_ends_with_its_open_rows(desk, ada, chat, now, after) -> None:
    event = desk.event(ada, chat, expires_s=10)
    effects = after(10)
    event.refresh_from_db()
    row = desk.delivery(event)
    ended = now + timedelta(seconds=10)
    assert (event.state, event.code, event.final_at) == ("expired", "expired", ended)
    assert (row.state, row.ring_at, row.ended_at) == ("expired", None, ended)
    assert (effects.finals, effects.rings) == ([event.pk], [])


def test_a_page_that_did_not_confirm_before_the_event_expired_is_closed(desk, ada, chat, now, after) -> None:
    event = desk.event(ada, None, chat, expires_s=3)
    row = desk.delivery(event)
    store.record_pushed(
        [store.Success(str(row.pk), str(row.lease_token), now, now)], [now + timedelta(seconds=5)]
    )
    assert after(5).finals == [event.pk]
    after(5 + SETTINGS.ring_again_s)
    event.refresh_from_db()
    assert (event.state, Delivery.objects.filter(ring_at__isnull=False).count()) == ("expired", 0)


def test_a_send_in_flight_is_not_expired_under_its_worker(desk, ada, chat, records, now) -> None:
    from notifications.store import expire

    event = desk.event(ada, chat, expires_s=10)
    claimed = desk.claim(desk.delivery(event), now=now + timedelta(seconds=9))
    assert expire(event.pk, now=now + timedelta(seconds=10)).finals == []
    effects, lost = store.record_sent([records.success(claimed)])
    assert (effects.finals, lost) == ([event.pk], [])


@pytest.mark.parametrize(
    ("state", "closed"),
    [("pending", "cancelled"), ("deferred", "cancelled"), ("sent", "cancelled"), ("sending", "unknown")],
)
def test_open_rows_of_an_ended_event_are_closed(desk, ada, chat, now, after, state, closed) -> None:
    row = desk.delivery(desk.event(ada, chat))
    Event.objects.update(state="delivered", final_at=now)
    Delivery.objects.update(state=state, lease_until=now)
    assert rung(after(5)) == []
    row.refresh_from_db()
    assert (row.state, row.ring_at) == (closed, None)
    assert row.ended_at == now + timedelta(seconds=5)


def test_a_send_in_flight_of_an_ended_event_keeps_its_lease(desk, ada, chat, records, now, after) -> None:
    claimed = desk.claim(desk.delivery(desk.event(ada, chat)))
    Event.objects.update(state="delivered", final_at=now)
    Delivery.objects.update(ring_at=now)
    after(5)
    _, lost = store.record_sent([records.success(claimed)])
    assert lost == []


def test_a_row_that_breaks_the_sweep_does_not_hold_up_the_others(desk, ada, chat, after) -> None:
    broken = desk.event(ada, None, chat, event_id="broken", priority=CRITICAL)
    Event.objects.filter(pk=broken.pk).update(plan=[{}, {"channel": "none"}])
    good = desk.event(ada, chat, event_id="good")
    assert rung(after(5)) == [str(desk.delivery(good).pk)]


def test_a_sweep_takes_the_knobs_of_the_process(desk, ada, chat, override, now) -> None:
    desk.event(ada, chat)
    override(sweep_limit=0)
    assert sweep(now=now + timedelta(seconds=5)).rings == []
    override(sweep_limit=1)
    assert len(sweep(now=now + timedelta(seconds=5)).rings) == 1


def test_giving_up_leaves_a_send_in_flight_alone(desk, ada, chat, mailbox, now) -> None:
    row = desk.delivery(desk.event(ada, chat, mailbox))
    desk.claim(row)
    assert store.give_up([str(row.pk)], now=now, **GIVEN_UP).rings == []


def test_giving_up_does_not_hide_that_a_dead_worker_may_have_sent(
    desk, ada, chat, mailbox, now, after
) -> None:
    """Between the end of its lease and the sweep, a late task's failure came first."""
    event = desk.event(ada, chat, mailbox, priority=CRITICAL)
    row = desk.delivery(event)
    desk.claim(row)
    assert store.give_up([str(row.pk)], now=now + timedelta(seconds=56), **GIVEN_UP).rings == []
    after(56)
    assert (desk.delivery(event).state, desk.delivery(event, 1).possible_duplicate) == ("unknown", True)


def test_giving_up_goes_on_to_the_next_channel_once(desk, ada, chat, mailbox, now) -> None:
    row = desk.delivery(desk.event(ada, chat, mailbox))
    assert len(store.give_up([str(row.pk)], now=now, **GIVEN_UP).rings) == 1
    assert store.give_up([str(row.pk)], now=now, **GIVEN_UP).rings == []


def test_many_silent_pages_fall_together_and_their_doorbells_come_in_parts(desk, ada, chat, now) -> None:
    """The first doorbell must not wait for the last row."""
    count = 120
    events = [desk.event(ada, None, chat, event_id=f"silent-{number}") for number in range(count)]
    parts = list(store.sweep_deliveries_in_parts(now=now + timedelta(seconds=6), settings=PipelineSettings()))
    assert len(parts) > 1
    rung = [ring.delivery_id for part in parts for ring in part.rings]
    assert sorted(rung) == sorted(str(desk.delivery(event, 1).pk) for event in events)
    assert {desk.delivery(event).state for event in events} == {"failed"}
