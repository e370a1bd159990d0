"""Messages in chats show what the person did with their event elsewhere, once, and never for an end."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from notifications import acks, store
from notifications.delivery.attempt import attempt_one
from notifications.delivery.edits import edit_messages
from notifications.events import EventName
from notifications.models import Event, MessageEdit
from notifications.operations.timeline import timeline
from notifications.states import Channel, FailureKind, Priority
from notifications.store import Pressed
from notifications.sweep import sweep
from notifications.transports.base import (
    LimitedError,
    Message,
    MessageError,
    OutcomeUnknown,
    TemporaryError,
)
from tests.notifications.other_ends import FakeTransport, unused

NAME = EventName("exchange", "e1")


class EditableChat(FakeTransport):
    """Telegram with given outcomes for its edits: None, or an error."""

    def __init__(self, *outcomes: Exception | None) -> None:
        super().__init__(Channel.TELEGRAM, ())
        self.edited: list[tuple[str, str, Message]] = []
        self.while_editing: Callable[[], object] = lambda: None
        self._edits = list(outcomes)

    async def edit(self, message: Message, address: str, message_id: str, *, timeout_s: float) -> None:
        self.edited.append((address, message_id, message))
        self.while_editing()
        if self._edits and (error := self._edits.pop(0)):
            raise error


@pytest.fixture
def telegram():
    from notifications.transports import registry

    with registry.using(chat := EditableChat()):
        yield chat


@pytest.fixture
def sent(desk, ada, chat, records) -> Event:
    """A CRITICAL event that Telegram has."""
    event = desk.event(ada, chat, priority=Priority.CRITICAL)
    records.sent(desk.delivery(event))
    return event


def wanted() -> list[str]:
    return [str(pk) for pk in MessageEdit.objects.values_list("pk", flat=True)]


def edit(now, ids=None) -> None:
    edit_messages(wanted() if ids is None else ids, clock=lambda: now)


def test_an_acknowledgement_elsewhere_is_shown_and_takes_the_button(desk, ada, sent, telegram, now) -> None:
    effects = acks.acknowledge(ada.pk, NAME, now=now)
    assert effects.edits == [str(desk.delivery(sent).pk)]
    edit(now, effects.edits)
    [(address, message_id, message)] = telegram.edited
    assert (address, message_id) == ("42420", "m1")
    assert "Acknowledged elsewhere at " in message.text
    assert message.html.endswith("UTC</i>")
    assert message.acknowledge_label == ""
    assert wanted() == []


def test_a_pressed_button_ends_the_event_over_its_channel(desk, ada, chat, mailbox, now, telegram) -> None:
    event = desk.event(ada, chat, mailbox, priority=Priority.CRITICAL)
    claimed = desk.claim(desk.delivery(event))
    failure = store.Failure(claimed, now, now, "unknown", "lost")
    store.record_unknown(failure, now=now, backoff_s=1)
    pressed = Pressed(desk.delivery(event).pk, Channel.TELEGRAM)
    effects = acks.acknowledge(ada.pk, NAME, now=now, pressed=pressed)
    ended = Event.objects.get(pk=event.pk)
    assert effects.finals == [event.pk]
    assert (ended.state, ended.delivered_via, ended.evidence) == ("delivered", Channel.TELEGRAM, "human")
    assert [desk.delivery(event, position).state for position in (0, 1)] == ["confirmed", "cancelled"]


def test_the_message_that_was_pressed_says_so(desk, ada, sent, telegram, now) -> None:
    acks.acknowledge(ada.pk, NAME, now=now, pressed=Pressed(desk.delivery(sent).pk, Channel.TELEGRAM))
    edit(now)
    assert "Acknowledged by you at " in telegram.edited[0][2].text


def test_what_was_read_elsewhere_says_so_and_can_still_be_acknowledged(ada, sent, telegram, now) -> None:
    store.inbox.mark(ada.pk, [NAME], "read", now=now)
    edit(now)
    [(_, _, message)] = telegram.edited
    assert "Read elsewhere at " in message.text
    assert message.acknowledge_label == "Got it"


def test_only_critical_messages_show_that_they_were_read(desk, ada, chat, records, telegram, now) -> None:
    records.sent(desk.delivery(desk.event(ada, chat, priority=Priority.NORMAL)))
    store.inbox.mark(ada.pk, [NAME], "read", now=now)
    assert wanted() == []


def test_a_second_acknowledgement_edits_nothing(ada, sent, telegram, now) -> None:
    acks.acknowledge(ada.pk, NAME, now=now)
    edit(now)
    assert acks.acknowledge(ada.pk, NAME, now=now + timedelta(seconds=1)).edits == []
    assert wanted() == []


def test_the_sweep_rings_for_an_edit_whose_doorbell_was_lost(desk, ada, sent, now) -> None:
    acks.acknowledge(ada.pk, NAME, now=now)
    assert sweep(now=now).edits == [str(desk.delivery(sent).pk)]


@pytest.mark.parametrize("error", [TemporaryError("no"), OutcomeUnknown("lost")])
def test_a_failed_edit_is_repeated(ada, sent, telegram, now, error) -> None:
    telegram._edits = [error]
    acks.acknowledge(ada.pk, NAME, now=now)
    edit(now)
    edit(now + timedelta(seconds=4))
    assert len(telegram.edited) == 1
    edit(now + timedelta(seconds=5))
    assert len(telegram.edited) == 2
    assert wanted() == []


def test_a_retry_after_is_kept(ada, sent, telegram, now) -> None:
    telegram._edits = [LimitedError("slow", 40.0)]
    acks.acknowledge(ada.pk, NAME, now=now)
    edit(now)
    assert MessageEdit.objects.get().due_at == now + timedelta(seconds=40)


def test_a_message_that_can_no_longer_be_edited_ends_quietly(ada, sent, telegram, now, caplog) -> None:
    telegram._edits = [MessageError("Telegram: message to edit not found")]
    acks.acknowledge(ada.pk, NAME, now=now)
    edit(now)
    assert wanted() == []
    assert [record.levelname for record in caplog.records if record.levelno > 20] == []


def test_a_send_in_flight_is_edited_when_it_has_become_a_message(
    desk, ada, chat, records, telegram, now
) -> None:
    event = desk.event(ada, chat, priority=Priority.CRITICAL)
    claimed = desk.claim(desk.delivery(event))
    acks.acknowledge(ada.pk, NAME, now=now)
    edit(now)
    assert telegram.edited == []
    store.record_sent([records.success(claimed)])
    edit(now + timedelta(seconds=2))
    assert [message_id for _, message_id, _ in telegram.edited] == ["m1"]


def test_a_message_that_was_never_sent_is_not_edited(desk, ada, chat, records, telegram, now) -> None:
    event = desk.event(ada, chat, priority=Priority.CRITICAL)
    records.failed(desk.delivery(event), FailureKind.MESSAGE)
    acks.acknowledge(ada.pk, NAME, now=now)
    assert wanted() == []


@pytest.mark.django_db(transaction=True)
def test_a_change_during_an_edit_is_shown_by_another(ada, sent, telegram, now, side_by_side) -> None:
    store.inbox.mark(ada.pk, [NAME], "read", now=now)
    later = now + timedelta(seconds=1)
    telegram.while_editing = lambda: side_by_side(lambda: acks.acknowledge(ada.pk, NAME, now=later))
    edit(now)
    telegram.while_editing = lambda: None
    edit(later)
    assert ["Read" in message.text for _, _, message in telegram.edited] == [True, False]
    assert wanted() == []


@pytest.mark.django_db(transaction=True)
def test_two_doorbells_edit_once(ada, sent, telegram, now, side_by_side) -> None:
    acks.acknowledge(ada.pk, NAME, now=now)
    ids = wanted()
    side_by_side(lambda: edit(now, ids), lambda: edit(now, ids))
    assert len(telegram.edited) == 1


def test_the_last_line_has_room_in_the_longest_message(ada, desk, chat, records, telegram, now) -> None:
    payload = {f"field_{n}": "<&>" * 200 for n in range(12)}
    event = desk.event(ada, chat, priority=Priority.CRITICAL, payload=payload)
    records.sent(desk.delivery(event))
    acks.acknowledge(ada.pk, NAME, now=now)
    edit(now)
    [(_, _, message)] = telegram.edited
    assert max(len(message.html), len(message.text)) <= 4096
    assert message.html.endswith("</i>")
    assert "Acknowledged elsewhere" in message.html


def test_the_timeline_names_the_button(desk, sent, ada, now) -> None:
    acks.acknowledge(ada.pk, NAME, now=now, pressed=Pressed(desk.delivery(sent).pk, Channel.TELEGRAM))
    event = Event.objects.get(pk=sent.pk)
    steps = [
        (step["kind"], step["text"], step["channel"]) for step in timeline(event, event.deliveries.all())
    ]
    assert ("confirmed", "the button of TELEGRAM's message was pressed", "TELEGRAM") in steps
    assert ("acknowledged", "the person acknowledged it, evidence HUMAN", "TELEGRAM") in steps


def test_the_producers_own_button_is_the_one_that_acknowledges(desk, ada, chat, provider, now) -> None:
    words = {"title": "Approve?", "actions": [{"label": "Approve", "kind": "acknowledge"}]}
    event = desk.event(ada, chat, event_type="bank.transfer", payload=words)
    telegram = provider()
    attempt_one(str(desk.delivery(event).pk), clock=lambda: now, run_effects=unused)
    assert [message.acknowledge_label for _, message in telegram.sent] == ["Approve"]
