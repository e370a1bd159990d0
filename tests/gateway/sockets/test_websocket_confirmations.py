"""Confirmations: the first of a person's sockets counts, the others are told; a person's word is stronger."""

import pytest

from notifications.models import Event
from tests.gateway.missing_tables import without
from tests.gateway.other_ends import Page, Producer
from tests.kit.eventually import eventually

CRITICAL = {"delivery": {"priority": "CRITICAL"}, "ack_timeout_ms": 60_000}


def test_the_first_confirmation_counts_and_the_other_socket_is_told(open_page, producer, ann, bob) -> None:
    first, second, other = open_page(ann), open_page(ann), open_page(bob)
    ids = [producer.publish(**CRITICAL).json()["event_id"] for _ in range(2)]
    for page in (first, second):
        assert [page.receive()["event_id"] for _ in ids] == ids
    first.send(type="ack", event_ids=ids)
    told = second.receive()
    assert (told["type"], sorted(told["event_ids"])) == ("event.cancelled", sorted(ids))
    confirmed_at = Event.objects.get(event_id=ids[0]).confirmed_at
    second.send(type="ack", event_ids=ids)
    second.barrier()
    first.barrier()  # neither its own confirmation nor the second one was told to it
    other.barrier()
    assert Event.objects.get(event_id=ids[0]).confirmed_at == confirmed_at


def test_a_confirmation_outlives_an_absence_of_the_database(open_page, producer: Producer, ann) -> None:
    page = open_page(ann)
    event_id = producer.publish(**CRITICAL).json()["event_id"]
    assert page.receive()["event_id"] == event_id
    with without("notifications_delivery"):
        page.send(type="ack", event_ids=[event_id])
        page.barrier()  # answered all the same
        assert Event.objects.get().evidence == ""
    eventually(lambda: Event.objects.get().evidence == "client")


def test_a_confirmation_holds_although_its_socket_is_gone(open_page, producer: Producer, ann) -> None:
    page = open_page(ann)
    event_id = producer.publish(**CRITICAL).json()["event_id"]
    page.receive()
    page.send(type="ack", event_ids=[event_id])
    page.close()
    eventually(lambda: Event.objects.get().evidence == "client")


def test_many_confirmations_of_many_sockets_are_all_stored(open_page, producer: Producer, ann, bob) -> None:
    pages = {"ann": open_page(ann), "bob": open_page(bob)}
    for name, page in pages.items():
        ids = [producer.publish(user_id=name, **CRITICAL).json()["event_id"] for _ in range(30)]
        for event_id in ids:
            page.send(type="ack", event_ids=[event_id])
    for page in pages.values():
        assert [page.receive()["type"] for _ in range(30)] == ["event"] * 30
        page.barrier()
    assert Event.objects.filter(evidence="client").count() == 60


def acknowledged(page: Page, event_id: str) -> None:
    page.send(type="acknowledge", event_id=event_id)
    assert page.receive() == {
        "type": "event.acknowledged",
        "source": "venue",
        "event_ids": [event_id],
        "seqs": [1],
    }


def test_a_persons_word_is_human_evidence_and_both_sockets_hear_of_it(open_page, producer, ann) -> None:
    first, second = open_page(ann), open_page(ann)
    event_id = producer.publish(**CRITICAL).json()["event_id"]
    for page in (first, second):
        page.receive()
    acknowledged(first, event_id)
    assert second.receive()["type"] == "event.acknowledged"
    event = Event.objects.get()
    assert (event.state, event.evidence, event.delivered_via) == ("delivered", "human", 1)
    assert event.acknowledged_at is not None
    assert event.confirmed_at == event.read_at == event.seen_at == event.final_at == event.acknowledged_at
    answer = producer.get(f"/events/{event_id}").json()
    assert answer["ack"]["evidence"] == "HUMAN"


def test_a_persons_word_is_stronger_than_their_clients(open_page, producer: Producer, ann) -> None:
    page = open_page(ann)
    event_id = producer.publish(**CRITICAL).json()["event_id"]
    page.receive()
    page.send(type="ack", event_ids=[event_id])
    page.barrier()
    before = Event.objects.get()
    acknowledged(page, event_id)
    acknowledged(page, event_id)  # twice does no harm
    after = Event.objects.get()
    assert (before.evidence, after.evidence) == ("client", "human")
    assert (after.final_at, after.confirmed_at) == (before.final_at, before.confirmed_at)


@pytest.mark.parametrize("event_id", ["unknown", "anothers"])
def test_what_is_not_theirs_cannot_be_acknowledged(open_page, producer, ann, bob, event_id) -> None:
    page = open_page(bob)
    producer.publish(event_id="anothers", **CRITICAL)
    page.send(type="acknowledge", event_id=event_id)
    assert page.receive()["code"] == "unknown_event"
    assert Event.objects.get().acknowledged_at is None


@pytest.mark.parametrize("event_id", [None, "", 7, ["e"], "a\0b"])
def test_an_acknowledgement_of_no_id_is_refused(open_page, ann, event_id) -> None:
    page = open_page(ann)
    page.send(type="acknowledge", event_id=event_id)
    assert page.receive()["code"] == "invalid_event_id"
    page.barrier()
