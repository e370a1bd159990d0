"""A database restored from a backup: sequences start again, and open deliveries may be repeats."""

import io
from datetime import timedelta

import pytest
from django.core.management import call_command

from notifications import store
from notifications.live import recovery
from notifications.live.recovery import Resume
from notifications.models import Delivery, InboxCursor
from notifications.states import AttemptOutcome, Channel, FailureKind, Priority
from tests.notifications.desk import claim


@pytest.fixture
def restored():
    def restored() -> str:
        output = io.StringIO()
        call_command("restored", stdout=output)
        return output.getvalue()

    return restored


def test_a_client_of_before_the_restore_is_not_told_that_it_has_all(desk, ada, chat, restored) -> None:
    desk.event(ada, chat)
    before = Resume(1, str(InboxCursor.objects.get(person=ada).epoch))
    assert recovery.begin(ada.pk, before, resume_asked=True, time_zone="UTC", locale="en").recovered
    assert "1 sequences have a new epoch" in restored()
    start = recovery.begin(ada.pk, before, resume_asked=True, time_zone="UTC", locale="en")
    assert not start.recovered
    assert [item["seq"] for item in start.items] == [1]


def test_every_persons_epoch_is_another(desk, ada, chat, restored) -> None:
    bob = desk.person("bob")
    desk.event(ada, chat)
    desk.event(bob, desk.address(bob, Channel.TELEGRAM), event_id="e2")
    restored()
    assert InboxCursor.objects.values("epoch").distinct().count() == 2


def test_what_is_open_may_be_a_repeat_and_what_has_ended_is_not(
    desk, ada, chat, records, now, restored
) -> None:
    ended = desk.delivery(desk.event(ada, chat, event_id="ended"))
    (claimed,) = claim([str(ended.pk)], now=now, lease_s=55, max_tries=8)
    store.record_sent([records.success(claimed)])
    open_row = desk.delivery(desk.event(ada, chat, event_id="open"))
    assert "1 open deliveries" in restored()
    assert Delivery.objects.get(pk=open_row.pk).possible_duplicate
    assert not Delivery.objects.get(pk=ended.pk).possible_duplicate


def test_the_next_channel_may_be_a_repeat_too(desk, ada, chat, mailbox, records, now, restored) -> None:
    event = desk.event(ada, chat, mailbox, priority=Priority.CRITICAL)
    restored()
    (claimed,) = claim([str(desk.delivery(event).pk)], now=now, lease_s=55, max_tries=8)
    failure = records.failure(claimed, AttemptOutcome.MESSAGE)
    store.record_failed(failure, FailureKind.MESSAGE, now=now + timedelta(seconds=1))
    assert Delivery.objects.get(event=event, position=1).possible_duplicate
