"""Recording what a try came to, and what follows from it."""

from datetime import timedelta

import pytest

from notifications import store
from notifications.models import Attempt, Delivery, Event
from notifications.states import AttemptOutcome, Channel, FailureKind, Priority
from tests.notifications.desk import claim
from users.models import Destination


@pytest.fixture
def event(desk, ada, chat, mailbox):
    """Telegram first, then e-mail."""
    return desk.event(ada, chat, mailbox, priority=Priority.CRITICAL)


def test_a_success_ends_the_delivery_and_the_event(desk, event, records, now) -> None:
    effects, lost = store.record_sent([records.success(desk.claim(desk.delivery(event)), "m77")])
    event.refresh_from_db()
    row = desk.delivery(event)
    assert (effects.finals, effects.rings, lost) == ([event.pk], [], [])
    assert (event.state, event.delivered_via, event.evidence) == ("delivered", Channel.TELEGRAM, "transport")
    assert (event.final_at, row.ended_at) == (now, now)
    assert (row.state, row.provider_message_id, row.ring_at, row.lease_token) == ("sent", "m77", None, None)
    assert list(Attempt.objects.values_list("number", "outcome", "error")) == [(1, "sent", "")]


def test_a_success_of_an_ended_event_is_recorded_and_changes_no_end(desk, event, records, now) -> None:
    claimed = desk.claim(desk.delivery(event))
    Event.objects.update(state="delivered", delivered_via=Channel.WEB, evidence="client", final_at=now)
    effects, lost = store.record_sent([records.success(claimed)])
    event.refresh_from_db()
    assert (effects.finals, lost, event.delivered_via) == ([], [], Channel.WEB)
    assert desk.delivery(event).state == "sent"


def test_a_deferred_row_waits_and_may_be_claimed_again(desk, event, records, now) -> None:
    claimed = desk.claim(desk.delivery(event))
    later = now + timedelta(seconds=30)
    failure = records.failure(claimed, AttemptOutcome.LIMITED, "slow down")
    store.record_deferred(failure, not_before=later, ring_at=later + timedelta(seconds=9))
    row = desk.delivery(event)
    assert (row.state, row.not_before, row.ring_at) == ("deferred", later, later + timedelta(seconds=9))
    assert (row.error, row.lease_token, row.ended_at) == ("slow down", None, None)
    assert Attempt.objects.get().outcome == "limited"
    assert desk.claim(row, now=later).attempt == 2


def test_a_failed_channel_starts_the_next_step(desk, event, records, mailbox, now) -> None:
    effects = records.failed(desk.delivery(event), FailureKind.MESSAGE, "too long")
    first, second = desk.delivery(event), desk.delivery(event, 1)
    assert (first.state, first.failure_kind, first.error) == ("failed", "message", "too long")
    assert (first.ended_at, first.ring_at) == (now, None)
    assert (second.state, second.destination, second.priority) == ("pending", mailbox, Priority.CRITICAL)
    assert not second.possible_duplicate
    assert [(ring.delivery_id, ring.priority) for ring in effects.rings] == [
        (str(second.pk), Priority.CRITICAL)
    ]
    event.refresh_from_db()
    assert (effects.finals, event.state) == ([], "accepted")


def test_a_dead_recipient_disables_the_destination_with_the_reason(
    desk, event, records, chat, mailbox, now
) -> None:
    records.failed(desk.delivery(event), FailureKind.RECIPIENT, "the bot was blocked")
    chat.refresh_from_db()
    mailbox.refresh_from_db()
    assert (chat.disabled_at, chat.disabled_reason) == (now, "the bot was blocked")
    assert mailbox.disabled_at is None


def test_a_dead_recipient_is_disabled_even_without_a_reason(desk, event, records, chat) -> None:
    records.failed(desk.delivery(event), FailureKind.RECIPIENT, "")
    chat.refresh_from_db()
    assert chat.disabled_at is not None


@pytest.mark.parametrize("kind", [kind for kind in FailureKind if kind is not FailureKind.RECIPIENT])
def test_other_failures_leave_the_destination_alone(desk, event, records, chat, kind, now) -> None:
    failure = records.failure(desk.claim(desk.delivery(event)), AttemptOutcome.MESSAGE)
    store.record_failed(failure, kind, now=now)
    chat.refresh_from_db()
    assert chat.disabled_at is None


def test_the_last_channels_failure_is_the_events_end(desk, event, records, now) -> None:
    records.failed(desk.delivery(event), FailureKind.MESSAGE)
    effects = records.failed(desk.delivery(event, 1), FailureKind.CONFIGURATION)
    event.refresh_from_db()
    assert (effects.finals, effects.rings) == ([event.pk], [])
    assert (event.state, event.code, event.final_at) == ("failed", "configuration", now)
    assert (event.delivered_via, event.evidence) == (None, "")


def test_a_skipped_channel_starts_the_next_step(desk, event, records, now) -> None:
    claimed = desk.claim(desk.delivery(event))
    effects = store.record_skipped(records.failure(claimed, AttemptOutcome.MESSAGE, "disabled: x"), now=now)
    assert (desk.delivery(event).state, desk.delivery(event, 1).state) == ("skipped", "pending")
    assert len(effects.rings) == 1


def test_the_next_step_passes_over_what_is_unusable_by_now(desk, ada, chat, mailbox, records, now) -> None:
    gone, dead = desk.address(ada, Channel.EMAIL), desk.address(ada, Channel.EMAIL)
    event = desk.event(ada, chat, gone, dead, mailbox)
    gone.delete()
    Destination.objects.filter(pk=dead.pk).update(disabled_at=now, disabled_reason="bounced")
    effects = records.failed(desk.delivery(event), FailureKind.MESSAGE)
    rows = Delivery.objects.filter(event=event).order_by("position")
    assert [(row.state, row.error) for row in rows[1:]] == [
        ("skipped", "the destination was removed"),
        ("skipped", "disabled: bounced"),
        ("pending", ""),
    ]
    assert [ring.delivery_id for ring in effects.rings] == [str(rows[3].pk)]
    assert [row.ended_at for row in rows[1:3]] == [now, now]


def test_an_event_ends_when_no_further_step_is_usable(desk, event, records, mailbox) -> None:
    mailbox.delete()
    effects = records.failed(desk.delivery(event), FailureKind.MESSAGE)
    event.refresh_from_db()
    assert (event.state, event.code, effects.finals) == ("failed", "message", [event.pk])


def test_an_event_whose_time_is_over_ends_instead_of_going_on(desk, event, records, now) -> None:
    claimed = desk.claim(desk.delivery(event))
    Event.objects.update(expires_at=now)
    effects = store.record_failed(
        records.failure(claimed, AttemptOutcome.MESSAGE), FailureKind.MESSAGE, now=now
    )
    event.refresh_from_db()
    assert (event.state, event.code, effects.finals) == ("expired", "expired", [event.pk])
    assert Delivery.objects.count() == 1


def test_a_failure_of_an_ended_event_starts_nothing(desk, event, records, now) -> None:
    claimed = desk.claim(desk.delivery(event))
    Event.objects.update(state="delivered", final_at=now)
    effects = store.record_failed(
        records.failure(claimed, AttemptOutcome.MESSAGE), FailureKind.MESSAGE, now=now
    )
    assert (effects.rings, effects.finals, Delivery.objects.count()) == ([], [], 1)


def test_a_page_that_nobody_took_is_skipped_and_the_next_channel_rings(desk, ada, chat, now) -> None:
    event = desk.event(ada, None, chat)
    pk = str(desk.delivery(event).pk)
    effects = store.skip_unpushed([pk], now=now)
    assert (desk.delivery(event).state, desk.delivery(event).error) == ("skipped", "no_session")
    assert [ring.delivery_id for ring in effects.rings] == [str(desk.delivery(event, 1).pk)]
    assert store.skip_unpushed([pk], now=now).rings == []


def test_a_new_address_replaces_the_old_one(desk, event, chat, now) -> None:
    store.move_address(str(desk.delivery(event).pk), "-100777", now=now)
    chat.refresh_from_db()
    assert chat.address == "-100777"


def test_a_new_address_changes_nothing_else_of_the_destination(desk, event, chat, now) -> None:
    Destination.objects.filter(pk=chat.pk).update(disabled_at=now, disabled_reason="by an operator")
    store.move_address(str(desk.delivery(event).pk), "-100777", now=now)
    chat.refresh_from_db()
    assert (chat.disabled_reason, chat.label) == ("by an operator", "")


def test_an_address_that_moved_to_one_the_person_has_already_is_disabled(desk, ada, event, chat, now) -> None:
    desk.address(ada, Channel.TELEGRAM, address="-100777")
    store.move_address(str(desk.delivery(event).pk), "-100777", now=now)
    chat.refresh_from_db()
    assert (chat.address, bool(chat.disabled_at)) == ("42420", True)


def test_both_of_two_destinations_that_an_event_tried_can_be_removed(desk, ada, chat, records) -> None:
    other = desk.address(ada, Channel.TELEGRAM)
    event = desk.event(ada, chat, other)
    records.failed(desk.delivery(event), FailureKind.MESSAGE)
    chat.delete()
    other.delete()
    assert list(Delivery.objects.filter(event=event).values_list("destination", flat=True)) == [None, None]


def test_a_row_that_waits_longer_than_its_event_lives_is_looked_at_when_the_event_expires(
    desk, event, now
) -> None:
    from notifications import store
    from notifications.models import Event
    from notifications.states import AttemptOutcome

    expires_at = now + timedelta(seconds=10)
    Event.objects.update(expires_at=expires_at)
    row = desk.delivery(event)
    [claimed] = claim([str(row.pk)], now=now, lease_s=55, max_tries=8)
    failure = store.Failure(claimed, now, now, AttemptOutcome.TEMPORARY, "busy")
    later = now + timedelta(seconds=300)
    store.record_deferred(failure, not_before=later, ring_at=later)
    assert desk.delivery(event).ring_at == expires_at


@pytest.mark.parametrize(("reply_to", "told"), [("", False), ("stream", True)])
def test_an_end_says_whether_it_is_told_on_a_reply_stream(
    desk, ada, chat, records, now, reply_to, told
) -> None:
    """Whoever writes the replies looks at the database only when there is one to write."""
    sent = desk.event(ada, chat, event_id="sent", reply_to=reply_to)
    confirmed = desk.event(ada, None, event_id="confirmed", reply_to=reply_to)
    failed = desk.event(ada, chat, event_id="failed", reply_to=reply_to)
    ends = [
        store.record_sent([records.success(desk.claim(desk.delivery(sent)))])[0],
        store.confirm([(ada.pk, confirmed.event_id)], now=now),
        records.failed(desk.delivery(failed), FailureKind.MESSAGE, "too long"),
    ]
    assert [(end.finals, end.replies) for end in ends] == [
        ([event.pk], told) for event in (sent, confirmed, failed)
    ]
