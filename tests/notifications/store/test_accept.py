"""Accepting a batch: what is new, what was there, and the numbers that each person sees."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import DataError

from notifications import store
from notifications.events import Decision, Plan
from notifications.models import Delivery, Event, InboxCursor
from notifications.states import Channel, EventState, Priority


@pytest.fixture
def accept(desk, now):
    def accept(*batch):
        return store.accept(batch, now=now)

    return accept


def seqs_of(person):
    return list(Event.objects.filter(person=person).order_by("seq").values_list("seq", flat=True))


def test_a_new_event_is_stored_whole_with_its_first_delivery_due(desk, ada, chat, accept, now) -> None:
    trace = (Decision(Channel.WEB, "skipped", "no_session"),)
    item = desk.acceptance(
        ada, "e1", chat, priority=Priority.CRITICAL, metadata={"a": "b"}, raw=b"\x00\xff", reply_to="stream"
    )
    [stored] = accept(replace(item, plan=Plan(item.plan.steps, trace)))
    event = Event.objects.get()
    assert (stored.kind, stored.event_pk, stored.seq, stored.state) == ("accepted", event.pk, 1, "accepted")
    assert (event.person, event.source, event.event_type) == (ada, desk.source, "ORDER_FILLED")
    assert (event.payload, event.metadata) == ({"symbol": "BTC/USDT"}, {"a": "b"})
    assert (bytes(event.raw), bytes(event.digest)) == (b"\x00\xff", item.envelope.digest)
    assert (event.accepted_at, event.occurred_at, event.expires_at) == (now, now, item.expires_at)
    assert event.plan == [{"channel": 2, "destination_id": chat.pk}]
    assert event.trace == [trace[0].to_json()]
    assert (event.reply_to, event.final_at) == ("stream", None)
    row = Delivery.objects.get(pk=stored.delivery_id)
    assert (row.event, row.channel, row.destination, row.position) == (event, Channel.TELEGRAM, chat, 0)
    assert (row.state, row.attempts, row.priority) == ("pending", 0, Priority.CRITICAL)
    assert (row.not_before, row.ring_at) == (now, now + timedelta(seconds=5))


def test_a_payload_keeps_the_order_of_its_fields(desk, ada, chat, accept, now) -> None:
    payload = {"headline": "DB is down", "zone": {"b": 1, "a": 2}, "k2": 1e22, "k1": "1.10"}
    accept(desk.acceptance(ada, "e1", chat, payload=payload))
    claimed = desk.claim(Delivery.objects.get())
    for stored in (Event.objects.get().payload, claimed.payload):
        assert json.dumps(stored) == json.dumps(payload)


def test_only_the_first_step_has_a_delivery(desk, ada, chat, mailbox, accept) -> None:
    accept(desk.acceptance(ada, "e1", chat, mailbox))
    assert Delivery.objects.get().destination == chat


def test_the_page_as_first_step_is_claimed_at_birth_until_its_deadline(desk, ada, accept, now) -> None:
    [stored] = accept(desk.acceptance(ada, "e1", None, ack_timeout_ms=7000))
    row = Delivery.objects.get(pk=stored.delivery_id)
    deadline = now + timedelta(seconds=7)
    assert (row.state, row.attempts, row.destination) == ("sending", 1, None)
    assert (str(row.lease_token), row.lease_until) == (stored.token, deadline)
    assert (row.ack_deadline, row.ring_at) == (deadline, deadline)


def test_an_event_without_a_step_is_a_dead_letter_at_once(desk, ada, accept, now) -> None:
    [stored] = accept(desk.acceptance(ada, "e1"))
    event = Event.objects.get()
    assert (stored.kind, stored.state, stored.code, stored.final_at) == (
        "accepted",
        EventState.FAILED,
        "no_channel",
        now,
    )
    assert (event.state, event.code, event.final_at, event.seq) == ("failed", "no_channel", now, 1)
    assert not Delivery.objects.exists()


def test_the_same_event_again_is_a_duplicate_and_tells_the_stored_truth(desk, ada, chat, accept, now) -> None:
    item = desk.acceptance(ada, "e1", chat)
    [first] = accept(item)
    claimed = desk.claim(first.delivery_id)
    store.record_sent([store.Success(claimed.delivery_id, claimed.token, now, now, "m1")])
    [again] = accept(item)
    assert (again.kind, again.event_pk, again.seq) == ("duplicate", first.event_pk, 1)
    assert (again.state, again.final_at) == (EventState.DELIVERED, now)
    assert Event.objects.count() == Delivery.objects.count() == 1


def test_the_same_id_with_other_content_is_a_conflict_and_changes_nothing(desk, ada, chat, accept) -> None:
    [first] = accept(desk.acceptance(ada, "e1", chat))
    [other] = accept(desk.acceptance(ada, "e1", chat, payload={"symbol": "ETH/USDT"}))
    assert (other.kind, other.event_pk) == ("conflict", first.event_pk)
    assert Event.objects.get().payload == {"symbol": "BTC/USDT"}
    assert seqs_of(ada) == [1]


def test_the_first_of_equal_ids_in_one_batch_is_accepted_and_the_others_are_judged_by_it(
    desk, ada, chat, accept
) -> None:
    same = desk.acceptance(ada, "e1", chat)
    other = desk.acceptance(ada, "e1", chat, payload={"symbol": "ETH/USDT"})
    next_one = desk.acceptance(ada, "e2", chat)
    answers = accept(same, same, other, same, next_one)
    assert [answer.kind for answer in answers] == [
        "accepted",
        "duplicate",
        "conflict",
        "duplicate",
        "accepted",
    ]
    assert [answer.seq for answer in answers] == [1, 1, 1, 1, 2]
    assert [bool(answer.delivery_id) for answer in answers] == [True, False, False, False, True]


def test_one_id_for_two_persons_in_one_batch_belongs_to_the_first(desk, ada, accept) -> None:
    bob = desk.person("bob")
    answers = accept(desk.acceptance(ada, "e1"), desk.acceptance(bob, "e1"), desk.acceptance(bob, "e2"))
    assert [answer.kind for answer in answers] == ["accepted", "conflict", "accepted"]
    assert (seqs_of(ada), seqs_of(bob)) == ([1], [1])


def test_the_same_id_of_another_source_is_another_event(desk, ada, accept) -> None:
    from users.models import Source

    item = desk.acceptance(ada, "e1")
    elsewhere = replace(desk.grant, id=Source.objects.create(name="other").pk, name="other")
    [one] = accept(item)
    [two] = accept(replace(item, envelope=replace(item.envelope, source=elsewhere)))
    assert (one.kind, two.kind, two.seq) == ("accepted", "accepted", 2)


def test_duplicates_leave_no_gap_in_anybodys_sequence(desk, ada, accept) -> None:
    bob = desk.person("bob")
    accept(desk.acceptance(ada, "a1"), desk.acceptance(bob, "b1"), desk.acceptance(ada, "a2"))
    accept(desk.acceptance(ada, "a1"), desk.acceptance(ada, "a3"), desk.acceptance(bob, "b1"))
    accept(desk.acceptance(bob, "b2"), desk.acceptance(ada, "a2"), desk.acceptance(ada, "a4"))
    assert (seqs_of(ada), seqs_of(bob)) == ([1, 2, 3, 4], [1, 2])
    assert dict(InboxCursor.objects.values_list("person", "last_seq")) == {ada.pk: 4, bob.pk: 2}


def test_answers_keep_the_order_of_a_large_batch(desk, ada, chat, accept) -> None:
    ids = [f"e{number}" for number in range(300)]
    answers = accept(*(desk.acceptance(ada, event_id, chat) for event_id in ids))
    assert [answer.seq for answer in answers] == list(range(1, 301))
    rows = dict(Event.objects.values_list("pk", "event_id"))
    assert [rows[answer.event_pk] for answer in answers] == ids


@pytest.mark.parametrize("text", ["{1,2}", 'say "hi", ok', "back\\slash", "NULL", "", "ü€🙂", "%s %b"])
def test_texts_come_back_as_they_were_given(desk, ada, accept, text) -> None:
    accept(desk.acceptance(ada, "e1", collapse_key=text, payload={text: [text, None]}, metadata={text: text}))
    event = Event.objects.get()
    assert (event.collapse_key, event.payload, event.metadata) == (text, {text: [text, None]}, {text: text})


def test_a_batch_that_the_database_refuses_leaves_nothing(desk, ada, accept) -> None:
    bad = desk.acceptance(ada, "e2", metadata={"a": "\0"})
    with pytest.raises(DataError):
        accept(desk.acceptance(ada, "e1"), bad)
    assert not Event.objects.exists()
    [stored] = accept(desk.acceptance(ada, "e3"))
    assert stored.seq == 1
