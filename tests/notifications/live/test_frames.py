"""The head of an event's frame, by which a gateway orders frames."""

import pytest

from notifications.events import EventName
from notifications.live import frames, pubsub


@pytest.mark.parametrize("payload", ['"', "\\", "é", '","seq":9,'])
def test_the_head_of_a_frame_is_read_without_its_payload(payload: str) -> None:
    data = pubsub.frame(
        "event", seq=12, ack_by=7, event_id=f"id{payload}", source="bank", payload={"seq": 5, "x": payload}
    )
    assert frames.head(data) == frames.Head(12, EventName("bank", f"id{payload}"), 7)


def test_a_frame_of_an_older_worker_names_no_source() -> None:
    data = pubsub.frame("event", seq=12, event_id="e", event_type="X", payload={"source": "bank"})
    assert frames.head(data) == frames.Head(12, EventName("", "e"))


def test_a_frame_without_seq_has_no_head() -> None:
    forged = pubsub.frame("event", event_id='x","seq":9', payload={"type": "event", "seq": 1})
    assert frames.head(forged) is None
    assert frames.head(pubsub.frame("event.read", event_ids=["e1"])) is None
