"""Events on open pages, and what pages say back."""

import threading

import pytest
from django.utils import timezone

from gateway.auth.bearer import grant_of
from gateway.codec import events
from notifications.events import Plan, Planned
from notifications.live import pubsub
from notifications.live.push import push_accepted
from notifications.models import Event
from notifications.routing import recipients
from notifications.states import EventState, StoredAs
from notifications.store import Stored
from tests.gateway.good_events import event_json
from tests.gateway.missing_tables import without
from tests.gateway.other_ends import Page, Producer
from tests.kit.eventually import eventually
from tests.kit.sign_in import token_for


def online(valkey, person) -> int:
    return valkey.pubsub_numsub(pubsub.user_channel(person.pk))[0][1]


@pytest.fixture
def without_cursors():
    with without("notifications_inboxcursor"):
        yield


def test_an_event_arrives_on_every_page_of_the_person_and_on_no_other(
    open_page, producer: Producer, ann, bob
) -> None:
    first, second, other = open_page(ann), open_page(ann), open_page(bob)
    event = event_json(delivery={"priority": "CRITICAL"}, ack_timeout_ms=60_000)
    ack = producer.post("/events", json=event).json()
    frame = first.receive()
    assert second.receive() == frame
    assert (ack["status"], frame["type"], frame["seq"]) == ("QUEUED", "event", 1)
    for name in ("event_id", "event_type", "timestamp", "payload"):
        assert frame[name] == event[name]
    assert frame["priority"] == "CRITICAL"
    assert frame["ack_by"] == pytest.approx(ack["at"] + 60_000, abs=100)
    assert frame["title"]
    other.barrier()


def test_an_ack_makes_it_delivered(open_page, producer: Producer, ann) -> None:
    page = open_page(ann)
    answers: list[dict] = []
    event = event_json(delivery={"priority": "CRITICAL"}, ack_timeout_ms=60_000)
    waiting = threading.Thread(target=lambda: answers.append(producer.publish(wait=30, **event).json()))
    waiting.start()
    page.send(type="ack", event_ids=[page.receive()["event_id"]])
    page.barrier()
    waiting.join(20)
    ack = answers[0]
    assert (ack["status"], ack["delivered_via"], ack["evidence"]) == ("DELIVERED", "WEB", "CLIENT")
    assert ack["final"]
    page.send(type="ack", event_ids=[event["event_id"]])  # twice does no harm
    page.barrier()


@pytest.mark.parametrize("event_id", ["line\nend", "no\u00a0break", "größe", "a/b"])
def test_whatever_id_was_accepted_can_be_confirmed(open_page, producer: Producer, ann, event_id: str) -> None:
    page = open_page(ann)
    producer.publish(event_id=event_id)
    assert page.receive()["event_id"] == event_id
    page.send(type="ack", event_ids=[event_id])
    page.barrier()
    assert Event.objects.get().evidence == "client"


def test_an_informational_event_has_no_seq_and_no_deadline(open_page, producer: Producer, ann) -> None:
    page = open_page(ann)
    ack = producer.publish(delivery={"priority": "INFORMATIONAL"}).json()
    frame = page.receive()
    assert not {"seq", "ack_by"} & set(frame)
    assert (ack["status"], ack["delivered_via"], ack["evidence"]) == ("DELIVERED", "WEB", "TRANSPORT")
    assert not Event.objects.exists()


def test_another_persons_events_cannot_be_confirmed_or_marked(
    open_page, producer: Producer, ann, bob
) -> None:
    mine, other = open_page(ann), open_page(bob)
    producer.publish(delivery={"priority": "CRITICAL"}, ack_timeout_ms=60_000)
    event_id = mine.receive()["event_id"]
    for kind in ("ack", "seen", "read", "archive"):
        other.send(type=kind, event_ids=[event_id])
    other.barrier()
    mine.barrier()
    event = Event.objects.get()
    assert (event.state, event.evidence) == ("accepted", "")
    assert (event.confirmed_at, event.seen_at, event.read_at, event.archived_at) == (None,) * 4


@pytest.mark.parametrize(
    ("kind", "mirrored", "column"),
    [
        ("seen", "event.seen", "seen_at"),
        ("read", "event.read", "read_at"),
        ("archive", "event.archived", "archived_at"),
    ],
)
def test_what_one_page_marks_the_other_is_told(
    open_page, producer: Producer, ann, kind: str, mirrored: str, column: str
) -> None:
    first, second = open_page(ann), open_page(ann)
    ids = [producer.publish().json()["event_id"] for _ in range(2)]
    for page in (first, second):
        assert [page.receive()["event_id"] for _ in ids] == ids
    first.send(type=kind, event_ids=[*ids, "unknown", ids[0]])
    frame = second.receive()
    assert (frame["type"], sorted(frame["event_ids"])) == (mirrored, sorted(ids))
    assert first.receive() == frame
    assert Event.objects.filter(**{f"{column}__isnull": False}).count() == 2
    first.send(type=kind, event_ids=ids)  # nothing changes, so nobody is told
    first.barrier()
    second.barrier()


def test_events_of_the_moment_of_connecting_come_after_ready_and_in_order(
    open_page, producer: Producer, ann
) -> None:
    """Events are pushed from the moment of the subscription on; none may overtake `ready`."""
    stop = threading.Event()
    accepted: list[str] = []

    def keep_publishing() -> None:
        while not stop.is_set():
            accepted.append(producer.publish().json()["event_id"])

    publishing = threading.Thread(target=keep_publishing)
    publishing.start()
    try:
        pages = [open_page(ann) for _ in range(5)]  # asserts that the first frame is `ready`
    finally:
        stop.set()
        publishing.join()
    last = producer.publish().json()
    for page in pages:
        seqs = []
        while not seqs or seqs[-1] < last["seq"]:
            seqs.append(page.receive()["seq"])
        wanted = range(page.ready["seq"] + 1, last["seq"] + 1)
        assert [seq for seq in seqs if seq in wanted] == list(wanted)
        assert seqs == sorted(seqs)


def test_who_came_between_the_routing_and_the_commit_is_told(open_page, ann, venue) -> None:
    """Their page may have read its `seq` just before the commit: only the push can tell them."""
    page = open_page(ann)
    envelope = events.from_json(event_json(), grant_of(venue))
    person = recipients.load(["ann"], now=timezone.now(), active_s=0)["ann"]
    planned = Planned(envelope, person, False, Plan())
    stored = Stored(StoredAs.ACCEPTED, 1, 1, EventState.ACCEPTED)
    push_accepted([(planned, stored)], timezone.now())
    assert page.receive()["event_id"] == envelope.event_id


def test_presence_ends_with_the_last_page(open_page, valkey, ann) -> None:
    pages = [open_page(ann), open_page(ann)]
    assert online(valkey, ann) == 1
    pages[0].close()
    pages[1].barrier()
    assert online(valkey, ann) == 1
    pages[1].close()
    eventually(lambda: online(valkey, ann) == 0)


def test_presence_ends_with_a_connection_that_breaks(open_page, valkey, ann) -> None:
    page = open_page(ann)
    page.socket.socket.shutdown(2)
    eventually(lambda: online(valkey, ann) == 0)


@pytest.mark.parametrize("by_token", [False, True], ids=["by session", "by token"])
def test_without_the_database_the_page_is_sent_away_and_leaves_nothing_behind(
    open_page, valkey, ann, without_cursors, by_token: bool
) -> None:
    page: Page = open_page(None if by_token else ann, ready=False)
    if by_token:
        page.send(type="auth", token=token_for("ann"))
    error = page.receive()
    assert (error["type"], error["code"]) == ("error", "unavailable")
    assert page.closed_with() == 4013
    eventually(lambda: online(valkey, ann) == 0)
