"""Resuming on a real server: what was missed, in order, then live events, with no gap and none twice."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from notifications import store
from notifications.models import Event, InboxCursor
from tests.gateway.good_events import event_json
from tests.gateway.other_ends import Page, Producer, pages_of
from tests.gateway.servers import Server, running_server_of
from tests.kit.eventually import eventually
from tests.kit.sign_in import token_for

WINDOW, RESUME_AT_MOST = 4, 30


@pytest.fixture(scope="module")
def strict(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a small window and little patience, which looks at Postgres often."""
    with running_server_of(
        tmp_path_factory.mktemp("strict") / "daphne.log",
        TOCSIN_WINDOW_FRAMES=str(WINDOW),
        TOCSIN_SLOW_CLOSE_S="1.5",
        TOCSIN_RESUME_MAX_EVENTS=str(RESUME_AT_MOST),
        TOCSIN_RESYNC_S="0.2",
    ) as server:
        yield server


@pytest.fixture
def open_strict(strict: Server) -> Iterator[Callable[..., Page]]:
    with pages_of(strict) as open_one:
        yield open_one


def epoch_of(person) -> str:
    return str(InboxCursor.objects.get(person=person).epoch)


def resumed(person, seq: object) -> str:
    """The path of a socket that resumes there."""
    return f"/ws?seq={seq}&epoch={epoch_of(person)}"


def publish(producer: Producer, count: int, **changes: object) -> list[dict]:
    return [producer.publish(**changes).json() for _ in range(count)]


def receive_events(page: Page, count: int, *, confirming: bool = True) -> list[dict]:
    """Read so many events, confirming each as a client should; return when all that is stored.

    Events that come after them are not kept.
    """
    found: list[dict] = []
    while len(found) < count:
        frame = page.receive()
        assert frame["type"] == "event", frame
        found.append(frame)
        if confirming:
            page.send(type="ack", event_ids=[frame["event_id"]])
    if confirming:
        page.send(type="ping")
        while page.receive()["type"] != "pong":
            pass
    return found


def test_a_page_that_comes_back_gets_what_it_missed_and_then_live_events(
    open_page, producer: Producer, ann
) -> None:
    acks = publish(producer, 8)
    page = open_page(ann, path=resumed(ann, 3))
    assert (page.ready["recovered"], page.ready["seq"]) == (True, 8)
    assert [frame["event_id"] for frame in receive_events(page, 5)] == [ack["event_id"] for ack in acks[3:]]
    publish(producer, 1)
    assert receive_events(page, 1)[0]["seq"] == 9


def test_a_native_client_resumes_with_its_auth_frame(open_page, producer: Producer, ann) -> None:
    publish(producer, 3)
    page = open_page(path="/ws/native", ready=False)
    page.send(type="auth", token=token_for("ann"), resume={"seq": 1, "epoch": epoch_of(ann)})
    assert page.receive()["recovered"] is True
    assert [frame["seq"] for frame in receive_events(page, 2)] == [2, 3]
    page.barrier()


def test_who_has_everything_is_recovered_with_nothing_to_follow(open_page, producer: Producer, ann) -> None:
    publish(producer, 2)
    page = open_page(ann, path=resumed(ann, 2))
    assert page.ready["recovered"] is True
    page.barrier()


def test_many_missed_events_come_in_pages_as_the_client_confirms(open_page, producer: Producer, ann) -> None:
    for _ in range(7):
        producer.batch(*(event_json() for _ in range(100)))
    page = open_page(ann, path=resumed(ann, 0))
    assert page.ready["recovered"] is True
    assert [frame["seq"] for frame in receive_events(page, 700)] == list(range(1, 701))


def test_a_missed_event_says_until_when_it_is_waited_for(open_page, producer: Producer, ann) -> None:
    first = open_page(ann)
    publish(producer, 2, delivery={"priority": "CRITICAL"}, ack_timeout_ms=60_000)
    pushed = [first.receive() for _ in range(2)]
    first.send(type="ack", event_ids=[pushed[1]["event_id"]])
    first.barrier()
    again = open_page(ann, path=resumed(ann, 0))
    waiting, ended = receive_events(again, 2, confirming=False)
    assert waiting["ack_by"] == pushed[0]["ack_by"]
    assert "ack_by" not in ended


@pytest.mark.parametrize("what", ["another epoch", "ahead of us", "too far back"])
def test_a_resume_that_cannot_be_served_gets_a_snapshot(open_strict, producer, ann, what) -> None:
    publish(producer, RESUME_AT_MOST + 2)
    seq = {"another epoch": 5, "ahead of us": 99, "too far back": 1}[what]
    asked = f"/ws?seq={seq}&epoch=other" if what == "another epoch" else resumed(ann, seq)
    page = open_strict(ann, path=asked)
    assert page.ready["recovered"] is False
    snapshot = page.receive()
    assert snapshot["type"] == "snapshot"
    assert [item["seq"] for item in snapshot["items"]] == list(range(RESUME_AT_MOST + 2, 0, -1))
    publish(producer, 1)
    assert page.receive()["seq"] == RESUME_AT_MOST + 3


def test_who_does_not_ask_gets_no_snapshot(open_page, producer: Producer, ann) -> None:
    publish(producer, 2)
    page = open_page(ann)
    assert page.ready["recovered"] is False
    page.barrier()


@pytest.mark.parametrize("seq", ["", "-1", "x", "1.5", str(2**63), "٣"])
def test_a_position_that_is_none_gets_an_error_and_a_snapshot(open_page, producer, ann, seq: str) -> None:
    publish(producer, 1)
    page = open_page(ann, path=resumed(ann, seq))
    assert page.ready["recovered"] is False
    error, snapshot = page.receive(), page.receive()
    assert (error["type"], error["code"]) == ("error", "invalid_resume")
    assert [item["seq"] for item in snapshot["items"]] == [1]
    page.barrier()


@pytest.mark.parametrize("resume", [None, 7, [], {}, {"seq": True, "epoch": "x"}, {"seq": 1, "epoch": 2}])
def test_a_resume_of_another_shape_is_told_so(open_page, ann, resume) -> None:
    page = open_page(path="/ws/native", ready=False)
    page.send(type="auth", token=token_for("ann"), resume=resume)
    assert page.receive()["recovered"] is False
    if resume is not None:
        assert page.receive()["code"] == "invalid_resume"
        assert page.receive()["type"] == "snapshot"
    page.barrier()


def test_there_is_no_gap_and_no_repeat_at_the_seam(open_page, producer: Producer, ann) -> None:
    """Pages come back while events pour in: what each sees over all its connections is one sequence."""
    publish(producer, 1)
    stop = threading.Event()

    def keep_publishing() -> None:
        while not stop.is_set():
            producer.publish()

    publishing = threading.Thread(target=keep_publishing)
    publishing.start()
    seen = [0]
    try:
        for _ in range(12):
            page = open_page(ann, path=resumed(ann, seen[-1]))
            assert page.ready["recovered"] is True
            seen += [frame["seq"] for frame in receive_events(page, 15)]
            page.close()
    finally:
        stop.set()
        publishing.join()
    assert seen == list(range(12 * 15 + 1))


def accept_silently(person, venue, event_id: str) -> None:
    """An event that is committed, and whose push is lost."""
    from gateway.auth.bearer import grant_of
    from gateway.codec import events
    from notifications.events import Plan

    now = timezone.now()
    envelope = events.from_json(event_json(event_id=event_id, user_id=person.external_id), grant_of(venue))
    item = store.Acceptance(envelope, person.pk, Plan(), now + timedelta(hours=1), 5_000)
    store.accept([item], now=now)


def test_an_event_whose_push_was_lost_comes_with_the_next_look(open_strict, ann, venue) -> None:
    page = open_strict(ann)
    accept_silently(ann, venue, "lost")
    assert page.receive()["event_id"] == "lost"


def test_an_event_whose_push_was_lost_comes_before_the_next_one(open_page, producer, ann, venue) -> None:
    page = open_page(ann)
    accept_silently(ann, venue, "lost-1")
    accept_silently(ann, venue, "lost-2")
    last = publish(producer, 1)[0]["event_id"]
    found = [page.receive()["event_id"] for _ in range(3)]
    assert found == ["lost-1", "lost-2", last]


def test_a_lost_subscription_loses_nothing(open_page, producer: Producer, valkey, ann) -> None:
    page = open_page(ann)
    for _ in range(3):
        valkey.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        publish(producer, 3)
    assert [frame["seq"] for frame in receive_events(page, 9)] == list(range(1, 10))


def test_without_confirmations_it_ends_after_the_window_and_a_resume_goes_on(
    open_strict, producer: Producer, ann
) -> None:
    page = open_strict(ann)
    publish(producer, WINDOW + 3, delivery={"priority": "CRITICAL"}, ack_timeout_ms=60_000)
    producer.publish(delivery={"priority": "INFORMATIONAL"})
    got = receive_events(page, WINDOW, confirming=False)
    assert page.closed_with() == 4008
    again = open_strict(ann, path=resumed(ann, got[-1]["seq"]))
    assert again.ready["recovered"] is True
    rest = receive_events(again, 3)
    assert [frame["seq"] for frame in rest] == [WINDOW + 1, WINDOW + 2, WINDOW + 3]
    assert all("ack_by" in frame for frame in rest)


def test_a_ping_is_enough_for_events_that_nobody_waits_for(open_strict, producer: Producer, ann) -> None:
    publish(producer, 3 * WINDOW)
    page = open_strict(ann, path=resumed(ann, 0))
    seqs: list[int] = []
    while len(seqs) < 3 * WINDOW:
        frame = page.receive()
        if frame["type"] == "event":
            seqs.append(frame["seq"])
            if len(seqs) % WINDOW == 0:
                page.send(type="ping")
    assert seqs == list(range(1, 3 * WINDOW + 1))


def test_a_sequence_that_begins_anew_ends_the_connection(open_strict, producer: Producer, ann) -> None:
    import uuid

    publish(producer, 1)
    old = resumed(ann, 1)
    page = open_strict(ann)
    InboxCursor.objects.filter(person=ann).update(epoch=uuid.uuid4())
    assert page.closed_with() == 4013
    again = open_strict(ann, path=old)
    assert again.ready["recovered"] is False
    assert again.ready["epoch"] == epoch_of(ann)
    assert again.receive()["type"] == "snapshot"


def test_an_event_that_comes_back_to_the_page_is_pushed_as_a_repeat(
    open_page, producer: Producer, ann
) -> None:
    """Its page step comes after others, so newer events have been sent already."""
    from notifications import dispatch
    from notifications.delivery import attempt
    from notifications.models import Delivery
    from notifications.store.deliveries import insert_deliveries, new_delivery

    page = open_page(ann)
    publish(producer, 2, delivery={"priority": "CRITICAL"}, ack_timeout_ms=60_000)
    first, _ = receive_events(page, 2, confirming=False)
    event = Event.objects.get(event_id=first["event_id"])
    now = timezone.now()
    insert_deliveries(
        [new_delivery(event.pk, channel=1, destination_id=None, position=1, priority=2, now=now)]
    )
    row = Delivery.objects.get(event=event, position=1)
    attempt.attempt_one(str(row.pk), clock=timezone.now, run_effects=dispatch.run_effects_later)
    again = page.receive()
    assert (again["event_id"], again["seq"], again["repeat"]) == (first["event_id"], 1, True)
    assert again["ack_by"] > first["ack_by"]
    page.send(type="ack", event_ids=[again["event_id"]])
    eventually(lambda: Event.objects.get(pk=event.pk).evidence == "client")
