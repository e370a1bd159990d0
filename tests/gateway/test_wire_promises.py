"""docs/wire.md promises what the server does: what has no effect yet says so, and has none."""

import re
from typing import Any

import pytest

from config.env import ROOT
from gateway.api.openapi.publishing import EVENT
from notifications.models import Event
from proto.tocsin.v1 import user_events_pb2 as wire
from tests.gateway.good_events import event_json, event_message
from tests.gateway.other_ends import Producer

WIRE = (ROOT / "docs/wire.md").read_text()
PROTO = (ROOT / "proto/tocsin/v1/user_events.proto").read_text()


def test_no_field_is_described_as_without_effect() -> None:
    described = " ".join(str(one.get("description")) for one in EVENT["properties"].values())
    assert "without effect" not in PROTO + WIRE + described


def test_of_one_collapse_key_only_the_newest_is_shown_and_the_others_are_told_of_it(
    producer: Producer, ann, open_page
) -> None:
    page = open_page(ann)
    keys: dict[str, Any] = {"collapse_key": "pos-9", "ordering_key": "order-77"}
    sent = [event_json(**keys, version=version) for version in (1, 3, 2)]
    first, newest, last = producer.batch(*sent)
    again = producer.batch(sent[0])[0]

    assert (newest["status"], newest["superseded_by"]) == ("QUEUED", "")
    for ack in (first, last, again):
        assert (ack["status"], ack["code"], ack["final"]) == ("ACK_ERROR", "superseded", True)
        assert ack["superseded_by"] == newest["event_id"]
    assert page.receive()["event_id"] == newest["event_id"]
    _, told = producer.publish_message(event_message(**keys, version=2))
    assert (told.code, told.superseded_by) == ("superseded", newest["event_id"])
    stored = Event.objects.values_list("collapse_key", "ordering_key", "version").order_by("seq")
    assert list(stored)[:3] == [("pos-9", "order-77", version) for version in (1, 3, 2)]


def test_an_event_without_delivery_is_normal_and_one_without_priority_informational(
    producer: Producer, ann
) -> None:
    _, forgotten = producer.publish_message(event_message(delivery=None))
    _, zero = producer.publish_message(event_message(delivery={}))

    assert forgotten.status == wire.QUEUED or forgotten.code == "no_channel"
    assert (zero.status, zero.code) == (wire.ACK_ERROR, "no_session")
    assert Event.objects.get().get_priority_display().upper() == "NORMAL"


def test_an_informational_event_that_is_sent_again_is_shown_again(producer: Producer, ann, open_page) -> None:
    page = open_page(ann)
    event = event_json(delivery={"priority": "INFORMATIONAL"})
    answers = [producer.post("/events", json=event).json() for _ in range(2)]

    assert [answer["duplicate"] for answer in answers] == [False, False]
    assert [page.receive()["event_id"] for _ in answers] == [event["event_id"]] * 2


def test_a_step_that_is_reserved_is_skipped_as_unsupported(producer: Producer, ann) -> None:
    channels = ["PUSH", "DISCORD", "SLACK", "WEBHOOK"]
    ack = producer.publish(delivery={"priority": "NORMAL", "channels": channels}).json()

    assert ack["code"] == "no_channel"
    assert {step["reason"] for step in ack["outcomes"]} <= {"unsupported"}


def test_only_an_open_page_is_live(producer: Producer, ann) -> None:
    steps = [{"channel": name, "only_if_active": True} for name in ("TELEGRAM", "EMAIL", "WEB")]
    ack = producer.publish(delivery={"priority": "NORMAL", "channels": steps}).json()

    assert ack["code"] == "no_channel"


@pytest.mark.parametrize("name", ["SignedEnvelope", "ZeroMQ framing"])
def test_what_no_ingress_accepts_is_called_reserved(name: str) -> None:
    section = WIRE.split(f"\n## {name}\n")[1].split("\n## ")[0]
    source = "".join(path.read_text() for path in ROOT.glob("gateway/**/*.py"))

    assert section.lstrip().startswith("**Reserved")
    assert not re.search("SignedEnvelope|zmq", source)
