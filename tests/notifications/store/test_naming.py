"""Which event a person's client means, where two sources use the same id."""

import pytest

from notifications import store
from notifications.events import EventName, EventSeq, SourceGrant
from notifications.models import Event, InboxCursor
from notifications.states import Priority
from users.models import Source


@pytest.fixture
def events(desk, ada, chat) -> dict[str, Event]:
    """The events `x` of two sources, the same person's: the page first, then Telegram."""
    bank = Source.objects.create(name="bank")
    grants = {"exchange": desk.grant, "bank": SourceGrant(bank.pk, bank.name)}
    return {name: event_of(desk, ada, chat, grant) for name, grant in grants.items()}


def event_of(desk, person, chat, grant) -> Event:
    request = desk.acceptance(person, "x", None, chat, priority=Priority.CRITICAL, source=grant)
    [stored] = store.accept([request], now=desk.now)
    return Event.objects.get(pk=stored.event_pk)


def states() -> dict[str, str]:
    return dict(Event.objects.values_list("source__name", "state"))


def seq_of(event: Event) -> EventSeq:
    return EventSeq(event.seq, str(InboxCursor.objects.get(person_id=event.person_id).epoch))


@pytest.mark.parametrize("by", ["name", "seq"])
def test_a_confirmation_ends_the_event_that_it_names_and_no_other(ada, events, now, by) -> None:
    ref = seq_of(events["bank"]) if by == "seq" else EventName("bank", "x")
    effects = store.confirm([(ada.pk, ref)], now=now)
    assert effects.finals == [events["bank"].pk]
    assert effects.confirmed[0][1:] == (0, 2, EventName("bank", "x"))
    assert states() == {"exchange": "accepted", "bank": "delivered"}


@pytest.mark.parametrize("by", ["name", "seq"])
def test_an_acknowledgement_ends_the_event_that_it_names_and_no_other(ada, events, now, by) -> None:
    ref = seq_of(events["exchange"]) if by == "seq" else EventName("exchange", "x")
    store.acknowledge(ada.pk, ref, now=now)
    assert dict(Event.objects.values_list("source__name", "evidence")) == {"exchange": "human", "bank": ""}


@pytest.mark.parametrize("what", ["seen", "read", "archive"])
def test_a_mark_is_set_on_the_event_that_it_names_and_no_other(ada, events, now, what) -> None:
    [change] = store.inbox.mark(ada.pk, [EventName("bank", "x")], what, now=now)
    assert (change.seq, change.name) == (2, EventName("bank", "x"))
    assert [event.source.name for event in Event.objects.filter(seen_at__isnull=False)] == ["bank"]


def test_an_id_alone_means_nothing_where_two_sources_have_used_it(ada, events, now) -> None:
    assert store.confirm([(ada.pk, "x")], now=now).confirmed == []
    assert store.inbox.mark(ada.pk, ["x"], "read", now=now) == []
    with pytest.raises(store.AmbiguousEvent):
        store.acknowledge(ada.pk, "x", now=now)
    assert states() == {"exchange": "accepted", "bank": "accepted"}


def test_it_stays_ambiguous_after_one_of_them_has_been_confirmed(ada, events, now) -> None:
    store.confirm([(ada.pk, EventName("bank", "x"))], now=now)
    assert store.confirm([(ada.pk, "x")], now=now).confirmed == []
    assert states()["exchange"] == "accepted"


def test_an_id_alone_means_the_event_of_its_only_source(desk, ada, chat, events, now) -> None:
    bob = desk.person("bob")
    bobs = event_of(desk, bob, chat, SourceGrant(Source.objects.create(name="shop").pk, "shop"))
    assert store.confirm([(bob.pk, "x")], now=now).finals == [bobs.pk]
    assert states() == {"exchange": "accepted", "bank": "accepted", "shop": "delivered"}


@pytest.mark.parametrize(
    "ref", [EventName("nobody", "x"), EventName("bank", "y"), EventSeq(2, "another epoch"), EventSeq(3, "")]
)
def test_a_reference_to_no_event_changes_nothing(ada, events, now, ref) -> None:
    assert store.confirm([(ada.pk, ref)], now=now).confirmed == []
    assert store.inbox.mark(ada.pk, [ref], "read", now=now) == []
    with pytest.raises(store.UnknownEvent):
        store.acknowledge(ada.pk, ref, now=now)


def test_nobody_reaches_the_event_of_another_person(desk, events, now) -> None:
    bob = desk.person("bob")
    references = [EventName("bank", "x"), seq_of(events["bank"]), "x"]
    assert store.confirm([(bob.pk, ref) for ref in references], now=now).confirmed == []
    assert states() == {"exchange": "accepted", "bank": "accepted"}


def test_references_of_all_kinds_to_one_event_confirm_it_once(ada, events, now) -> None:
    references = ["unknown", seq_of(events["bank"]), EventName("bank", "x"), EventName("exchange", "x")]
    confirmed = store.confirm([(ada.pk, ref) for ref in references], now=now).confirmed
    assert {(change.name.source, change.position) for change in confirmed} == {("bank", 1), ("exchange", 3)}
