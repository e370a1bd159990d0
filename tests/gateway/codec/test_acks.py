"""An ack on the wire says what the domain said, and never anything by default."""

import ast
import inspect
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.env import ROOT
from gateway.codec.acks import EventAck, ack_to_json, ack_to_protobuf, acks_to_protobuf
from notifications.events import Ack, ChannelOutcome, rejected_ack
from notifications.states import Channel, EventState, Evidence
from proto.tocsin.v1 import user_events_pb2 as wire

AT = datetime(2026, 11, 21, 8, 30, 0, 123_000, tzinfo=UTC)
AT_MS = 1_795_249_800_123
DELIVERED = Ack(
    "e-1",
    "DELIVERED",
    True,
    AT,
    seq=7,
    duplicate=True,
    delivered_via=Channel.TELEGRAM,
    evidence=Evidence.TRANSPORT,
    outcomes=(
        ChannelOutcome(Channel.WEB, "failed", "unconfirmed"),
        ChannelOutcome(Channel.TELEGRAM, "sent"),
    ),
    state=EventState.DELIVERED,
    event_pk=9,
    counts={"delivered": 2},
)


def test_every_field_of_an_ack_stands_in_its_json() -> None:
    assert ack_to_json(DELIVERED) == {
        "event_id": "e-1",
        "status": "DELIVERED",
        "final": True,
        "state": "delivered",
        "code": "",
        "detail": "",
        "field": "",
        "error_message": "",
        "simulated": False,
        "duplicate": True,
        "seq": 7,
        "counts": {"delivered": 2},
        "superseded_by": "",
        "delivered_via": "TELEGRAM",
        "evidence": "TRANSPORT",
        "at": AT_MS,
        "outcomes": [
            {"channel": "WEB", "state": "failed", "reason": "unconfirmed"},
            {"channel": "TELEGRAM", "state": "sent", "reason": ""},
        ],
    }


def test_every_field_of_an_ack_stands_in_its_protobuf() -> None:
    assert wire.EventAck.FromString(ack_to_protobuf(DELIVERED)) == wire.EventAck(
        event_id="e-1",
        status=wire.DELIVERED,
        delivered_via=wire.TELEGRAM,
        evidence=wire.EVIDENCE_TRANSPORT,
        final=True,
        duplicate=True,
        seq=7,
        at=AT_MS,
        outcomes=[
            wire.ChannelOutcome(channel=wire.WEB, state="failed", reason="unconfirmed"),
            wire.ChannelOutcome(channel=wire.TELEGRAM, state="sent"),
        ],
        counts={"delivered": 2},
        state="delivered",
    )


def test_the_names_of_the_json_are_those_of_the_protobuf() -> None:
    names = {field.name for field in wire.EventAck.DESCRIPTOR.fields}
    assert set(ack_to_json(DELIVERED)) == names == set(EventAck.__annotations__)


def test_what_is_at_fault_is_said_whole_and_in_parts() -> None:
    ack = rejected_ack("e-1", "unknown_value", "Send another.", AT, field="delivery")
    shown, message = ack_to_json(ack), wire.EventAck.FromString(ack_to_protobuf(ack))
    for said in (shown["error_message"], message.error_message):
        assert said == "delivery: Send another."
    assert (shown["field"], shown["detail"]) == (message.field, message.detail)


def test_a_refusal_in_protobuf_says_what_and_where() -> None:
    data = ack_to_protobuf(rejected_ack("e-1", "too_long", "At most 200 bytes.", AT, field="event_id"))
    ack = wire.EventAck.FromString(data)
    assert (ack.status, ack.final, ack.code) == (wire.ACK_ERROR, True, "too_long")
    assert ack.error_message == "event_id: At most 200 bytes."


@pytest.mark.parametrize("status", ["QUEUED", "DELIVERED", "ACK_ERROR"])
def test_the_status_is_the_domains(status: str) -> None:
    batch = wire.EventAckBatch.FromString(acks_to_protobuf([Ack("e-1", status, False, AT)]))
    assert wire.AckStatus.Name(batch.acks[0].status) == status


@pytest.mark.parametrize("evidence", list(Evidence))
def test_every_evidence_has_its_number(evidence: Evidence) -> None:
    data = ack_to_protobuf(Ack("e-1", "DELIVERED", True, AT, evidence=evidence))
    name = wire.Evidence.Name(wire.EventAck.FromString(data).evidence)
    assert name == f"EVIDENCE_{evidence.value.upper() or 'UNSPECIFIED'}"


def test_the_status_has_no_default() -> None:
    assert inspect.signature(Ack).parameters["status"].default is inspect.Parameter.empty


def _calls(path: Path, name: str) -> list[ast.Call]:
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return [call for call in calls if ast.unparse(call.func).split(".")[-1] == name]


def test_every_ack_on_the_wire_names_its_status() -> None:
    built = [call for path in ROOT.glob("gateway/**/*.py") for call in _calls(path, "EventAck")]
    assert built
    assert all("status" in {word.arg for word in call.keywords} for call in built)
