"""Two sources that use the same event id for one person: both are shown, and confirmations never cross."""

from collections.abc import Iterator

import pytest

from notifications.models import Event
from tests.gateway.other_ends import Page, Producer
from tests.kit.eventually import eventually

CRITICAL = {"event_id": "x", "delivery": {"priority": "CRITICAL"}, "ack_timeout_ms": 60_000}
LIVE = {"event_id": "x", "delivery": {"priority": "INFORMATIONAL"}}


@pytest.fixture
def bank(daphne, ann) -> Iterator[Producer]:
    from users import keys
    from users.models import Source

    source = Source.objects.create(name="bank")
    with Producer(daphne, keys.issue(source, ["publish", "read"])) as client:
        yield client


@pytest.fixture
def shown(open_page, producer, bank, ann) -> tuple[Page, dict[str, dict]]:
    """A page, and the frames of the same id by both sources."""
    page = open_page(ann)
    for client in (producer, bank):
        assert client.publish(**CRITICAL).json()["status"] == "QUEUED"
    frames = [page.receive(), page.receive()]
    return page, {frame["source"]: frame for frame in frames}


def evidence() -> dict[str, str]:
    return dict(Event.objects.values_list("source__name", "evidence"))


def test_both_are_shown_and_say_whose_they_are(shown, producer, bank) -> None:
    _, frames = shown
    assert {source: (frame["event_id"], frame["seq"]) for source, frame in frames.items()} == {
        "venue": ("x", 1),
        "bank": ("x", 2),
    }


def test_an_event_that_is_not_stored_says_whose_it_is(open_page, producer, bank, ann) -> None:
    page = open_page(ann)
    for client in (producer, bank):
        client.publish(**LIVE)
    assert [page.receive()["source"] for _ in range(2)] == ["venue", "bank"]


@pytest.mark.parametrize(
    ("name", "evidence_of_bank"),
    [
        ({"type": "ack", "source": "bank", "event_ids": ["x"]}, "client"),
        ({"type": "ack", "seqs": [2]}, "client"),
        ({"type": "acknowledge", "source": "bank", "event_id": "x"}, "human"),
        ({"type": "acknowledge", "seq": 2}, "human"),
    ],
)
def test_a_confirmation_ends_its_own_event_alone(shown, bank, producer, name, evidence_of_bank) -> None:
    page, _ = shown
    page.send(**name)
    if name["type"] == "acknowledge":
        expected = {"type": "event.acknowledged", "source": "bank", "event_ids": ["x"], "seqs": [2]}
        assert page.receive() == expected
    page.barrier()
    assert evidence() == {"venue": "", "bank": evidence_of_bank}
    assert bank.get("/events/x").json()["ack"]["status"] == "DELIVERED"
    assert producer.get("/events/x").json()["ack"]["status"] == "QUEUED"


def test_an_id_alone_confirms_neither(shown) -> None:
    page, _ = shown
    page.send(type="ack", event_ids=["x"])
    page.send(type="read", event_ids=["x"])
    page.barrier()
    page.send(type="acknowledge", event_id="x")
    assert page.receive()["code"] == "ambiguous_event"
    assert evidence() == {"venue": "", "bank": ""}


def test_the_other_sockets_hear_which_one_was_confirmed(open_page, shown, ann, bob) -> None:
    first, _ = shown
    second = open_page(ann)
    first.send(type="ack", source="bank", event_ids=["x"])
    expected = {"type": "event.cancelled", "source": "bank", "event_ids": ["x"], "seqs": [2]}
    assert second.receive() == expected
    second.send(type="ack", seqs=[1])
    expected = {"type": "event.cancelled", "source": "venue", "event_ids": ["x"], "seqs": [1]}
    assert first.receive() == expected
    eventually(lambda: evidence() == {"venue": "client", "bank": "client"})


@pytest.mark.parametrize("what", ["seen", "read", "archive"])
def test_a_mark_is_mirrored_with_its_source(shown, what) -> None:
    page, _ = shown
    page.send(type=what, seqs=[1, 2])
    mirrored = [page.receive(), page.receive()]
    assert {(frame["source"], *frame["event_ids"], *frame["seqs"]) for frame in mirrored} == {
        ("venue", "x", 1),
        ("bank", "x", 2),
    }


def test_inbox_snapshot_and_resume_say_whose_they_are(daphne, open_page, shown, ann) -> None:
    page, _ = shown
    epoch = page.ready["epoch"]
    resumed = open_page(ann, path=f"/ws?seq=0&epoch={epoch}")
    again = [resumed.receive(), resumed.receive()]
    assert {(frame["source"], frame["seq"]) for frame in again} == {("venue", 1), ("bank", 2)}
    other = open_page(ann, path="/ws?seq=0&epoch=other")
    items = other.receive()["items"]
    assert [(item["source"], item["event_id"], item["seq"]) for item in items] == [
        ("bank", "x", 2),
        ("venue", "x", 1),
    ]


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"type": "ack", "seqs": []}, "invalid_seqs"),
        ({"type": "ack", "seqs": [0]}, "invalid_seqs"),
        ({"type": "ack", "seqs": [True]}, "invalid_seqs"),
        ({"type": "ack", "seqs": [2**63]}, "invalid_seqs"),
        ({"type": "read", "seqs": ["1"]}, "invalid_seqs"),
        ({"type": "seen", "seqs": list(range(1, 502))}, "invalid_seqs"),
        ({"type": "acknowledge", "seq": -1}, "invalid_seq"),
        ({"type": "ack", "source": "", "event_ids": ["x"]}, "invalid_source"),
        ({"type": "acknowledge", "source": 7, "event_id": "x"}, "invalid_source"),
        ({"type": "archive", "source": "a\0", "event_ids": ["x"]}, "invalid_source"),
    ],
)
def test_a_name_that_is_none_is_refused(open_page, ann, frame, code) -> None:
    page = open_page(ann)
    page.send(**frame)
    assert page.receive()["code"] == code
    page.barrier()
