"""Acks of events to topics: one for the producer, with counts of persons."""

from datetime import datetime

from notifications import store
from notifications.events import Ack, rejected_ack
from notifications.models import Broadcast
from notifications.states import AckStatus, EndCode, EventState, Evidence, StoredAs

_STATUS = {EventState.ACCEPTED: AckStatus.QUEUED, EventState.DELIVERED: AckStatus.DELIVERED}
_DETAIL: dict[str, str] = {
    EndCode.NO_SUBSCRIBERS: "This topic has no subscribers; nothing was sent.",
    EndCode.NOBODY_REACHED: "No channel of any subscriber worked; see the counts and their events.",
    EndCode.EXPIRED: "It expired before any subscriber got it.",
}
_CONFLICT = "This event_id was accepted before with other content; nothing was sent."


def ack_of_answer(event_id: str, kept: store.Kept, now: datetime) -> Ack:
    """Return the ack for the result of storing a broadcast."""
    if kept.kind is StoredAs.CONFLICT or kept.row is None:
        return rejected_ack(event_id, EndCode.CONFLICT, _CONFLICT, now)
    return broadcast_ack(kept.row, now=now, duplicate=kept.kind is StoredAs.DUPLICATE)


def broadcast_ack(row: Broadcast, *, now: datetime, duplicate: bool = False) -> Ack:
    """Return the ack of a stored broadcast as it is now. The counts of a final one never change."""
    state = EventState(row.state)
    final = state is not EventState.ACCEPTED
    counts = row.counts if final else store.broadcasts.counts(row.pk)
    return Ack(
        row.event_id,
        _STATUS.get(state, AckStatus.ACK_ERROR),
        final=final,
        at=row.final_at or now,
        code=row.code,
        detail=_DETAIL.get(row.code, ""),
        duplicate=duplicate,
        evidence=Evidence(row.evidence),
        state=state,
        counts=counts,
        broadcast_pk=str(row.pk),
    )
