"""Acks to bytes: what a producer is told, as JSON or as protobuf."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from notifications.events import Ack
from notifications.live.frames import to_ms
from notifications.states import AckStatus, EventState, Evidence
from proto.tocsin.v1 import user_events_pb2 as wire

EvidenceName = Literal["", "TRANSPORT", "CLIENT", "HUMAN"]


class ChannelOutcome(TypedDict):
    channel: str
    state: str
    reason: Annotated[str, Field(description="Empty when it worked; never an address.")]


class EventAck(TypedDict):
    """What became of an event. The fields are those of the protobuf message."""

    event_id: str
    status: AckStatus
    final: Annotated[bool, Field(description="No further ack follows.")]
    state: EventState | None
    code: Annotated[str, Field(description="Why, for programs; empty where nothing went wrong.")]
    detail: Annotated[str, Field(description="Why, for people.")]
    field: Annotated[str, Field(description="The field that is at fault.")]
    error_message: Annotated[str, Field(description="`field` and `detail`, as one text.")]
    simulated: Annotated[bool, Field(description="Of a test key: nothing was sent.")]
    duplicate: Annotated[bool, Field(description="Known already: this is the stored truth.")]
    seq: Annotated[int, Field(description="Place in the person's sequence, from 1; 0: none.")]
    counts: Annotated[dict[str, int], Field(description="Of an event to a topic: persons by state.")]
    delivered_via: str | None
    evidence: EvidenceName
    at: Annotated[int, Field(description="When this ack was made, in Unix milliseconds.")]
    superseded_by: Annotated[str, Field(description="The `event_id` that took its place.")]
    outcomes: list[ChannelOutcome]


class EventAckBatch(TypedDict):
    """One ack for each event, in order."""

    acks: list[EventAck]


def ack_to_json(ack: Ack) -> EventAck:
    """Return the ack as JSON; every field stands in every ack."""
    return {
        "event_id": ack.event_id,
        "status": ack.status,
        "final": ack.final,
        "state": ack.state,
        "code": ack.code,
        "detail": ack.detail,
        "field": ack.field,
        "error_message": _error_message(ack),
        "simulated": ack.simulated,
        "duplicate": ack.duplicate,
        "seq": ack.seq,
        "counts": dict(ack.counts),
        "superseded_by": ack.superseded_by,
        "delivered_via": ack.delivered_via.name if ack.delivered_via is not None else None,
        "evidence": _NAMES[ack.evidence],
        "at": to_ms(ack.at),
        "outcomes": [
            {"channel": item.channel.name, "state": item.state, "reason": item.reason}
            for item in ack.outcomes
        ],
    }


_NAMES: dict[Evidence, EvidenceName] = {
    Evidence.NONE: "",
    Evidence.TRANSPORT: "TRANSPORT",
    Evidence.CLIENT: "CLIENT",
    Evidence.HUMAN: "HUMAN",
}
_EVIDENCE = {
    Evidence.NONE: wire.EVIDENCE_UNSPECIFIED,
    Evidence.TRANSPORT: wire.EVIDENCE_TRANSPORT,
    Evidence.CLIENT: wire.EVIDENCE_CLIENT,
    Evidence.HUMAN: wire.EVIDENCE_HUMAN,
}


def _error_message(ack: Ack) -> str:
    return f"{ack.field}: {ack.detail}" if ack.field else ack.detail


def _ack_message(ack: Ack) -> wire.EventAck:
    return wire.EventAck(
        event_id=ack.event_id,
        status=ack.status,
        error_message=_error_message(ack),
        delivered_via=ack.delivered_via.name if ack.delivered_via else None,
        evidence=_EVIDENCE[ack.evidence],
        final=ack.final,
        duplicate=ack.duplicate,
        seq=ack.seq,
        at=to_ms(ack.at),
        outcomes=[
            wire.ChannelOutcome(channel=item.channel.name, state=item.state, reason=item.reason)
            for item in ack.outcomes
        ],
        code=ack.code,
        counts=ack.counts,
        superseded_by=ack.superseded_by,
        state=ack.state.value if ack.state else "",
        detail=ack.detail,
        field=ack.field,
        simulated=ack.simulated,
    )


def ack_to_protobuf(ack: Ack) -> bytes:
    return _ack_message(ack).SerializeToString()


def acks_to_protobuf(acks: Sequence[Ack]) -> bytes:
    return wire.EventAckBatch(acks=[_ack_message(ack) for ack in acks]).SerializeToString()
