"""Claiming: one row is one send, under a lease that keeps late results out."""

from datetime import timedelta

import pytest

from notifications import store
from notifications.models import Attempt, Delivery, Event
from notifications.states import AttemptOutcome, Channel, FailureKind, Priority
from notifications.store import LeaseLost
from tests.notifications.desk import claim


@pytest.fixture
def row(desk, ada, chat):
    return desk.delivery(desk.event(ada, chat, priority=Priority.CRITICAL))


@pytest.fixture
def try_claim(now):
    def try_claim(*rows, at=now, max_tries=8):
        return claim([str(row.pk) for row in rows], now=at, lease_s=55, max_tries=max_tries)

    return try_claim


def test_a_claim_brings_all_that_a_try_needs(desk, row, chat, ada, now) -> None:
    claimed = desk.claim(row)
    row.refresh_from_db()
    assert (claimed.delivery_id, claimed.token) == (str(row.pk), str(row.lease_token))
    assert (claimed.channel, claimed.priority, claimed.attempt) == (Channel.TELEGRAM, Priority.CRITICAL, 1)
    assert (claimed.event_id, claimed.event_type, claimed.seq) == ("e1", "ORDER_FILLED", 1)
    assert (claimed.payload, claimed.person_id) == ({"symbol": "BTC/USDT"}, ada.pk)
    assert (claimed.address, claimed.unusable) == (chat.address, "")
    assert not claimed.possible_duplicate
    assert (row.state, row.attempts) == ("sending", 1)
    assert row.lease_until == row.ring_at == now + timedelta(seconds=55)


def test_a_row_under_a_lease_is_not_claimed_again(row, try_claim, now) -> None:
    assert len(try_claim(row)) == 1
    assert try_claim(row) == []
    assert try_claim(row, at=now + timedelta(hours=1)) == []  # its lease is the sweep's to end


def test_one_claim_takes_what_is_due_and_leaves_the_rest(desk, ada, chat, try_claim) -> None:
    rows = [desk.delivery(desk.event(ada, chat, event_id=f"e{n}")) for n in range(3)]
    Delivery.objects.filter(pk=rows[1].pk).update(state="sent")
    assert {item.delivery_id for item in try_claim(*rows)} == {str(rows[0].pk), str(rows[2].pk)}


def test_a_row_is_not_claimed_before_its_time(row, try_claim, now) -> None:
    Delivery.objects.update(not_before=now + timedelta(seconds=1))
    assert try_claim(row) == []
    assert len(try_claim(row, at=now + timedelta(seconds=1))) == 1


def test_a_row_of_an_expired_event_is_not_claimed(row, try_claim, now) -> None:
    Event.objects.update(expires_at=now)
    assert try_claim(row) == []


def test_a_row_whose_tries_are_used_up_is_not_claimed(row, try_claim) -> None:
    Delivery.objects.update(attempts=3)
    assert try_claim(row, max_tries=3) == []
    assert len(try_claim(row, max_tries=4)) == 1


def test_a_row_of_an_ended_event_is_not_claimed(row, try_claim, now) -> None:
    Event.objects.update(state="delivered", final_at=now)
    assert try_claim(row) == []


@pytest.mark.parametrize("state", ["sent", "confirmed", "failed", "skipped", "cancelled", "expired"])
def test_a_row_that_has_gone_further_is_not_claimed(row, try_claim, state) -> None:
    Delivery.objects.update(state=state)
    assert try_claim(row) == []


def test_an_unknown_outcome_is_claimed_only_while_its_repeat_waits(row, try_claim, now) -> None:
    Delivery.objects.update(state="unknown", ring_at=None, ended_at=now)
    assert try_claim(row) == []
    Delivery.objects.update(ring_at=now, ended_at=None)
    assert len(try_claim(row)) == 1


def test_a_claim_says_why_the_destination_may_not_be_used_any_more(desk, row, chat, now) -> None:
    chat.disabled_at, chat.disabled_reason = now, "blocked"
    chat.save()
    assert desk.claim(row).unusable == "disabled: blocked"
    chat.delete()
    Delivery.objects.update(state="pending")
    claimed = desk.claim(row)
    assert (claimed.unusable, claimed.address) == ("the destination was removed", "")


def test_a_released_row_is_as_if_it_had_not_been_claimed(desk, row, now) -> None:
    claimed = desk.claim(row)
    assert store.release([claimed], now=now) == [claimed.delivery_id]
    row.refresh_from_db()
    assert (row.state, row.attempts, row.lease_token) == ("pending", 0, None)
    assert row.ring_at == now + timedelta(seconds=5)
    assert desk.claim(row).attempt == 1


@pytest.fixture
def late(desk, row, now):
    """A claim whose lease has passed, and the row in other hands."""
    late = desk.claim(row)
    Delivery.objects.update(state="pending")
    desk.claim(row)
    return late


def untouched(row) -> bool:
    row.refresh_from_db()
    return (row.state, row.attempts, row.error) == ("sending", 2, "") and not Attempt.objects.exists()


def test_a_late_success_is_reported_as_lost_and_not_written(late, records, row) -> None:
    effects, lost = store.record_sent([records.success(late)])
    assert (effects.finals, lost) == ([], [late.delivery_id])
    assert untouched(row)
    assert Event.objects.get().state == "accepted"


def test_a_late_failure_is_refused_and_changes_nothing(late, records, row, chat, now) -> None:
    failure = records.failure(late, AttemptOutcome.TEMPORARY)
    with pytest.raises(LeaseLost):
        store.record_deferred(failure, not_before=now, ring_at=now)
    with pytest.raises(LeaseLost):
        store.record_failed(failure, FailureKind.RECIPIENT, now=now)
    with pytest.raises(LeaseLost):
        store.record_skipped(failure, now=now)
    with pytest.raises(LeaseLost):
        store.record_unknown(failure, now=now, backoff_s=30)
    assert untouched(row)
    chat.refresh_from_db()
    assert chat.disabled_at is None
    assert Event.objects.get().state == "accepted"


def test_a_late_release_gives_nothing_back(late, row, now) -> None:
    assert store.release([late], now=now) == []
    assert untouched(row)


def test_a_late_push_is_not_written(desk, ada, records, now) -> None:
    [stored] = store.accept([desk.acceptance(ada, "e1", None)], now=now)
    Delivery.objects.update(state="failed", lease_token=None)
    store.record_pushed([store.Success(stored.delivery_id, stored.token, now, now)], [now])
    assert Delivery.objects.get().state == "failed"
    assert not Attempt.objects.exists()
