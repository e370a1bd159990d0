"""Acks to bytes: what a producer is told, as JSON or as protobuf."""

from collections.abc import Sequence
from typing import Any

from notifications.events import Ack
from notifications.live.frames import to_ms
from notifications.states import Evidence
from proto.tocsin.v1 import user_events_pb2 as wire


def ack_to_json(ack: Ack) -> dict[str, Any]:
    """Return the ack as JSON; every field stands in every ack."""
    return {
        "event_id": ack.event_id,
        "status": ack.status,
        "final": ack.final,
        "state": ack.state.value if ack.state else None,
        "code": ack.code,
        "detail": ack.detail,
        "field": ack.field,
        "duplicate": ack.duplicate,
        "seq": ack.seq,
        "counts": dict(ack.counts),
        "superseded_by": ack.superseded_by,
        "delivered_via": ack.delivered_via.name if ack.delivered_via is not None else None,
        "evidence": ack.evidence.value.upper(),
        "at": to_ms(ack.at),
        "outcomes": [
            {"channel": item.channel.name, "state": item.state, "reason": item.reason}
            for item in ack.outcomes
        ],
    }


_EVIDENCE = {
    Evidence.NONE: wire.EVIDENCE_UNSPECIFIED,
    Evidence.TRANSPORT: wire.EVIDENCE_TRANSPORT,
    Evidence.CLIENT: wire.EVIDENCE_CLIENT,
    Evidence.HUMAN: wire.EVIDENCE_HUMAN,
}


def _ack_message(ack: Ack) -> wire.EventAck:
    return wire.EventAck(
        event_id=ack.event_id,
        status=ack.status,
        error_message=f"{ack.field}: {ack.detail}" if ack.field else ack.detail,
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
    )


def ack_to_protobuf(ack: Ack) -> bytes:
    return _ack_message(ack).SerializeToString()


def acks_to_protobuf(acks: Sequence[Ack]) -> bytes:
    return wire.EventAckBatch(acks=[_ack_message(ack) for ack in acks]).SerializeToString()
