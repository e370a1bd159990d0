"""A person's own word: stronger than that of their client, and never a second end."""

from datetime import timedelta

import pytest

from notifications import acks, store
from notifications.effects import Changed
from notifications.events import EventName
from notifications.models import Event
from notifications.operations.timeline import timeline
from notifications.states import Channel, FailureKind, Priority


@pytest.fixture
def event(desk, ada, chat):
    """The page first, then Telegram."""
    return desk.event(ada, None, chat, priority=Priority.CRITICAL)


def fresh(event: Event) -> Event:
    return Event.objects.get(pk=event.pk)


def test_it_ends_an_event_that_waits_and_cancels_the_rest(desk, ada, event, now) -> None:
    effects = acks.acknowledge(ada.pk, "e1", now=now)
    ended = fresh(event)
    assert (effects.finals, effects.confirmed) == (
        [event.pk],
        [Changed(ada.pk, 0, 1, EventName("exchange", "e1"))],
    )
    assert (ended.state, ended.delivered_via, ended.evidence) == ("delivered", Channel.WEB, "human")
    assert {ended.final_at, ended.confirmed_at, ended.acknowledged_at, ended.seen_at, ended.read_at} == {now}
    assert desk.delivery(event).state == "confirmed"


def test_it_grows_the_evidence_of_a_client_and_tells_no_second_end(ada, event, now) -> None:
    store.confirm([(ada.pk, "e1")], now=now)
    later = now + timedelta(seconds=9)
    assert store.acknowledge(ada.pk, "e1", now=later).finals == []
    after = fresh(event)
    assert (after.evidence, after.final_at, after.confirmed_at) == ("human", now, now)
    assert after.acknowledged_at == later


def test_it_grows_the_evidence_of_another_channel_and_keeps_that_channel(
    desk, ada, records, chat, now
) -> None:
    event = desk.event(ada, chat)
    records.sent(desk.delivery(event))
    later = now + timedelta(seconds=9)
    store.acknowledge(ada.pk, "e1", now=later)
    after = fresh(event)
    assert (after.delivered_via, after.evidence) == (Channel.TELEGRAM, "human")
    steps = [(step["kind"], step["text"]) for step in timeline(after, after.deliveries.all())]
    assert ("acknowledged", "the person acknowledged it, evidence HUMAN") in steps
    assert any("TELEGRAM, evidence TRANSPORT" in text for _, text in steps), "what the producer was told"


def test_a_dead_letter_stays_one(desk, ada, records, chat, now) -> None:
    event = desk.event(ada, chat)
    records.failed(desk.delivery(event), FailureKind.MESSAGE)
    assert store.acknowledge(ada.pk, "e1", now=now).finals == []
    after = fresh(event)
    assert (after.state, after.evidence, after.acknowledged_at) == ("failed", "", now)


def test_the_first_one_counts(ada, event, now) -> None:
    store.acknowledge(ada.pk, "e1", now=now)
    assert store.acknowledge(ada.pk, "e1", now=now + timedelta(seconds=1)).finals == []
    assert fresh(event).acknowledged_at == now


def test_a_clients_word_after_it_takes_nothing_away(ada, event, now) -> None:
    store.acknowledge(ada.pk, "e1", now=now)
    assert store.confirm([(ada.pk, "e1")], now=now + timedelta(seconds=1)).confirmed == []
    assert fresh(event).evidence == "human"


@pytest.mark.parametrize("event_id", ["nothing", "e1"])
def test_only_their_own_events_can_be_acknowledged(desk, event, now, event_id) -> None:
    with pytest.raises(store.UnknownEvent):
        store.acknowledge(desk.person("bob").pk, event_id, now=now)
    assert fresh(event).acknowledged_at is None


def test_an_early_reader_is_not_asked_again(ada, event, now) -> None:
    Event.objects.update(seen_at=now, read_at=now)
    store.acknowledge(ada.pk, "e1", now=now + timedelta(seconds=1))
    assert fresh(event).read_at == now


def test_a_confirmation_names_who_confirmed_what_first(desk, ada, event, now) -> None:
    references = [(ada.pk, "x"), (ada.pk, "e1"), (ada.pk, "e1")]
    expected = Changed(ada.pk, 1, 1, EventName("exchange", "e1"))
    assert store.confirm(references, now=now).confirmed == [expected]
    assert store.confirm([(ada.pk, "e1")], now=now).confirmed == []
