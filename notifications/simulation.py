"""The events of test keys: routed, rendered and traced like any other, and taken by no real transport.

The first channel of the plan takes the message: a page confirms it, a provider accepts it. What would be held
is taken at once. Nothing is stored beside the live events, so that no inbox, number or quota knows of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from notifications.acks import skipped
from notifications.events import Ack, ChannelOutcome, Envelope, Planned, rejected_ack
from notifications.models import SimulatedEvent
from notifications.rendering.render import outline, render
from notifications.states import (
    AckStatus,
    Channel,
    DeliveryState,
    EndCode,
    EventState,
    Evidence,
    Priority,
)
from notifications.store.acceptance import end_code
from users.models import TopicSubscription


@dataclass(frozen=True, slots=True)
class Simulated:
    """An event with its plan; without one it is to a topic."""

    envelope: Envelope
    planned: Planned[Envelope] | None


def simulate(batch: Sequence[Simulated], *, now: datetime) -> list[Ack]:
    """Return the final ack of each event, in order: the stored one of an id that was simulated before."""
    rows = [_row(item, _ack(item, now), now) for item in batch]
    SimulatedEvent.objects.bulk_create(rows, ignore_conflicts=True)
    ids = {row.event_id for row in rows}
    sources = {row.source_id for row in rows}
    stored = {
        (row.source_id, row.event_id): row
        for row in SimulatedEvent.objects.filter(source__in=sources, event_id__in=ids)
    }
    return [_answer(row, stored[row.source_id, row.event_id], now) for row in rows]


def _answer(row: SimulatedEvent, stored: SimulatedEvent, now: datetime) -> Ack:
    if bytes(stored.digest) != bytes(row.digest):
        detail = "This event_id was simulated before with other content."
        return rejected_ack(row.event_id, EndCode.CONFLICT, detail, now)
    return ack_of(stored, duplicate=stored.accepted_at != row.accepted_at)


def _ack(item: Simulated, now: datetime) -> Ack:
    envelope, planned = item.envelope, item.planned
    if planned is None:
        followers = TopicSubscription.objects.filter(topic=envelope.topic).count()
        return _delivered(envelope, None, now, counts={"persons": followers})
    if envelope.priority is Priority.INFORMATIONAL and not planned.online:
        return _failed(envelope, EndCode.NO_SESSION, planned, now)
    if not planned.plan.steps:
        return _failed(envelope, end_code(planned.plan), planned, now)
    for step in planned.plan.steps:
        _render(envelope, planned, step.channel)
    return _delivered(envelope, planned, now)


def _render(envelope: Envelope, planned: Planned[Envelope], channel: Channel) -> None:
    """Render as a delivery would: a stored template that fails is reported."""
    content = envelope.content(planned.recipient.time_zone, planned.recipient.locale)
    if channel is Channel.WEB:
        outline(content, channel)
    else:
        render(content, channel, key=envelope.name)


def _failed(envelope: Envelope, code: str, planned: Planned[Envelope], now: datetime) -> Ack:
    return Ack(
        envelope.event_id,
        AckStatus.ACK_ERROR,
        True,
        now,
        code=code,
        detail="Simulated: the trace says why no channel would be used.",
        outcomes=skipped(planned.plan),
        state=EventState.FAILED,
        simulated=True,
    )


def _delivered(
    envelope: Envelope,
    planned: Planned[Envelope] | None,
    now: datetime,
    counts: dict[str, int] | None = None,
) -> Ack:
    channel = Channel.WEB if planned is None else planned.plan.steps[0].channel
    live = channel is Channel.WEB
    state = DeliveryState.CONFIRMED if live else DeliveryState.SENT
    outcomes = () if planned is None else (ChannelOutcome(channel, state), *skipped(planned.plan))
    return Ack(
        envelope.event_id,
        AckStatus.DELIVERED,
        True,
        now,
        detail="Simulated: nothing was sent.",
        delivered_via=channel,
        evidence=Evidence.CLIENT if live else Evidence.TRANSPORT,
        counts=counts or {},
        outcomes=outcomes,
        state=EventState.DELIVERED,
        simulated=True,
    )


def _row(item: Simulated, ack: Ack, now: datetime) -> SimulatedEvent:
    plan = None if item.planned is None else item.planned.plan
    return SimulatedEvent(
        source_id=item.envelope.source.id,
        event_id=item.envelope.event_id,
        event_type=item.envelope.event_type,
        digest=item.envelope.digest,
        accepted_at=now,
        plan=[step.to_json() for step in plan.steps] if plan else [],
        trace=[line.to_json() for line in plan.trace] if plan else [],
        ack={
            "status": ack.status,
            "code": ack.code,
            "detail": ack.detail,
            "delivered_via": None if ack.delivered_via is None else int(ack.delivered_via),
            "evidence": ack.evidence,
            "counts": dict(ack.counts),
            "outcomes": [[int(one.channel), one.state, one.reason] for one in ack.outcomes],
            "state": ack.state,
        },
    )


def ack_of(row: SimulatedEvent, *, duplicate: bool = False) -> Ack:
    """Return the ack of a simulated event."""
    kept = row.ack
    return Ack(
        row.event_id,
        AckStatus(kept["status"]),
        True,
        row.accepted_at,
        code=kept["code"],
        detail=kept["detail"],
        counts=kept["counts"],
        duplicate=duplicate,
        delivered_via=None if kept["delivered_via"] is None else Channel(kept["delivered_via"]),
        evidence=Evidence(kept["evidence"]),
        outcomes=tuple(ChannelOutcome(Channel(number), *rest) for number, *rest in kept["outcomes"]),
        state=EventState(kept["state"]),
        simulated=True,
    )
