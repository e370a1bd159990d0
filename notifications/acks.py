"""Acks in both directions: the producer's `EventAck`, and the confirmations that decide it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count

from notifications import store
from notifications.effects import Effects
from notifications.events import Ack, ChannelOutcome, Envelope, EventRef, Plan, Planned
from notifications.models import Delivery, Event
from notifications.states import (
    AckStatus,
    Channel,
    DeliveryState,
    EndCode,
    EventState,
    Evidence,
    FailureKind,
    StoredAs,
    Verdict,
)

_STATUS = {
    EventState.ACCEPTED: AckStatus.QUEUED,
    EventState.DELIVERED: AckStatus.DELIVERED,
    EventState.FAILED: AckStatus.ACK_ERROR,
    EventState.EXPIRED: AckStatus.ACK_ERROR,
    EventState.SUPERSEDED: AckStatus.ACK_ERROR,
}

_DETAIL: dict[str, str] = {
    EndCode.NO_CHANNEL: "No channel of this person is usable; the event is in their inbox.",
    FailureKind.UNCONFIRMED: "The page did not confirm in time, and there is no other channel.",
    EndCode.EXPIRED: "It expired before it was delivered.",
    EndCode.OUTCOME_UNKNOWN: "The provider's answer was lost; it may have arrived.",
    EndCode.MUTED: "The person has muted it; the event is in their inbox.",
    EndCode.THROTTLED: "The person was sent enough of this type; the event is in their inbox.",
    EndCode.EXPIRES_WHILE_HELD: "It expires before the person wants it sent; the event is in their inbox.",
    EndCode.NEVER_OPEN: "The person's quiet hours and send windows leave no time; it is in their inbox.",
    EndCode.SWITCHED_OFF: "The person has switched its channels off; the event is in their inbox.",
    EndCode.BELOW_PRIORITY: "The person wants only more urgent events; the event is in their inbox.",
    EndCode.CONFLICT: "This event_id was accepted before with other content; nothing was sent.",
    EndCode.SUPERSEDED: "A newer event with its collapse_key has taken its place.",
    EndCode.ERASED: "The person was erased before it was delivered; send them nothing more.",
    StoredAs.UNKNOWN_USER: "No active person has this user_id: they were erased just now.",
}


_BEGUN = {DeliveryState.SENDING, DeliveryState.SENT, DeliveryState.UNKNOWN, DeliveryState.CONFIRMED}


def confirm(confirmations: Sequence[tuple[int, EventRef]], *, now: datetime) -> Effects:
    """Record confirmations by persons' clients, as pairs of person id and reference, in one batch."""
    return store.confirm(confirmations, now=now) if confirmations else Effects()


def acknowledge(
    person_id: int, ref: EventRef, *, now: datetime, pressed: store.Pressed | None = None
) -> Effects:
    """Record that the person has acknowledged the event, or `pressed` a message's button: HUMAN evidence.

    Raises: `store.UnknownEvent`, `store.AmbiguousEvent`.
    """
    return store.acknowledge(person_id, ref, now=now, pressed=pressed)


def stored_acks(batch: Sequence[tuple[Planned[Envelope], store.Stored]], *, now: datetime) -> list[Ack]:
    """Return one ack for each result of storing an event, in order. Reads what became of the duplicates."""
    duplicates = _acks_by_pk(
        [answer.event_pk for _, answer in batch if answer.kind is StoredAs.DUPLICATE], now
    )
    return [
        duplicates[answer.event_pk] if answer.kind is StoredAs.DUPLICATE else _new_ack(item, answer, now)
        for item, answer in batch
    ]


def _acks_by_pk(pks: list[int], now: datetime) -> dict[int, Ack]:
    if not pks:
        return {}
    events = (
        Event.objects.filter(pk__in=pks)
        .defer("payload", "words", "raw", "digest")
        .prefetch_related("deliveries")
    )
    return {
        event.pk: replace(event_ack(event, event.deliveries.all(), now=now), duplicate=True)
        for event in events
    }


def _new_ack(item: Planned[Envelope], answer: store.Stored, now: datetime) -> Ack:
    """Return the ack of an event that was accepted now, or whose id was used for other content."""
    event_id = item.request.event_id
    if answer.kind in {StoredAs.CONFLICT, StoredAs.UNKNOWN_USER}:
        code = answer.kind.value
        return Ack(event_id, AckStatus.ACK_ERROR, True, now, code=code, detail=_DETAIL[code])
    return Ack(
        event_id,
        _STATUS[answer.state],
        final=answer.state is not EventState.ACCEPTED,
        at=answer.final_at or now,
        code=answer.code,
        detail=_DETAIL.get(answer.code, ""),
        seq=answer.seq,
        outcomes=expected(item.plan),
        superseded_by=answer.superseded_by,
        state=answer.state,
        event_pk=answer.event_pk,
    )


def expected(plan: Plan) -> tuple[ChannelOutcome, ...]:
    """Return what the plan of an event that was just accepted says of its channels, in its order.

    Those that wait for the person's time are pending, and the first of the others. What follows it is tried
    only if it fails, and has no outcome yet.
    """
    held = {(line.channel, line.destination_id) for line in plan.trace if line.verdict is Verdict.HELD}
    first = next((line for line in plan.trace if line.verdict is Verdict.CHOSEN), None)
    outcomes = []
    for line in plan.trace:
        if line.verdict is not Verdict.CHOSEN:
            state = DeliveryState.SKIPPED if line.verdict is Verdict.SKIPPED else DeliveryState.PENDING
            outcomes.append(ChannelOutcome(line.channel, state, _until(line.reason, line.until)))
        elif line is first and (line.channel, line.destination_id) not in held:
            outcomes.append(ChannelOutcome(line.channel, DeliveryState.PENDING))
    return tuple(outcomes)


def _until(reason: str, until: datetime | str | None) -> str:
    at = until.isoformat() if isinstance(until, datetime) else until
    return f"{reason} until {at}" if at else reason


def skipped(plan: Plan) -> tuple[ChannelOutcome, ...]:
    """Return the channels that routing did not choose, with its reasons."""
    return tuple(
        ChannelOutcome(
            decision.channel,
            DeliveryState.SKIPPED,
            _until(decision.reason, decision.until),
        )
        for decision in plan.trace
        if decision.verdict is Verdict.SKIPPED
    )


def event_ack(
    event: Event | store.Ended, deliveries: Iterable[Delivery | store.Tried], *, now: datetime
) -> Ack:
    """Return the ack of a stored event as it is now, with the outcome of each channel."""
    state = EventState(event.state)
    return Ack(
        event.event_id,
        _STATUS[state],
        final=state is not EventState.ACCEPTED,
        at=event.final_at or now,
        code=event.code,
        detail=_DETAIL.get(event.code, _reasons(event, deliveries)),
        seq=event.seq,
        delivered_via=None if event.delivered_via is None else Channel(event.delivered_via),
        evidence=Evidence(event.evidence),
        outcomes=_outcomes(event, deliveries),
        superseded_by=_superseded_by(event),
        state=state,
        event_pk=event.pk,
    )


def _superseded_by(event: Event | store.Ended) -> str:
    if event.state != EventState.SUPERSEDED:
        return ""
    return next((str(line["by"]) for line in reversed(event.trace) if "by" in line), "")


def _outcomes(
    event: Event | store.Ended, deliveries: Iterable[Delivery | store.Tried]
) -> tuple[ChannelOutcome, ...]:
    """Return the outcome of each channel, in the order in which routing considered them.

    After a replay, only the outcomes since then: the earlier ones had an ack of their own.
    """
    reached = {row.position: row for row in deliveries}
    before = sum(step.get("replay", 0) != event.replay_count for step in event.plan)
    positions = count(before)  # the chosen lines of the trace are the steps of the plan, in the same order
    outcomes = []
    for line in event.trace:
        if line.get("replay", 0) != event.replay_count:
            continue
        channel = Channel(line["channel"])
        if "at" in line or line["verdict"] == Verdict.HELD:
            continue  # the delivery tells what became of it
        if line["verdict"] == Verdict.SKIPPED:
            reason = _until(line["reason"], line.get("until"))
            outcomes.append(ChannelOutcome(channel, DeliveryState.SKIPPED, reason))
        elif (row := reached.get(next(positions))) is not None:
            outcomes.append(ChannelOutcome(channel, row.state, _remark(row)))
    return tuple(outcomes)


def _remark(row: Delivery | store.Tried) -> str:
    """Return what else there is to say of a channel: why it failed, or how its message was sent."""
    merged = f"merged into {row.merged_into}" if row.merged_into and row.state in _BEGUN else ""
    return row.failure_kind or row.error or merged or _wait(row)


def _wait(row: Delivery | store.Tried) -> str:
    """Return until when a delivery is held by the person's wishes, if it is."""
    if not isinstance(row, Delivery) or row.ended_at is not None or row.held_until != row.not_before:
        return ""
    return _until(row.wait_reason, row.not_before)


def reasons(event: Event, deliveries: Iterable[Delivery]) -> list[tuple[Channel, str]]:
    """Return why each channel failed since the last acceptance."""
    rows = {row.position: row for row in deliveries}
    tried = [row for _, row in sorted(rows.items()) if row.replay == event.replay_count]
    if tried:
        return [(Channel(row.channel), row.error or row.failure_kind or row.state) for row in tried]
    return [
        (item.channel, item.reason) for item in _outcomes(event, ()) if item.state == DeliveryState.SKIPPED
    ]


def _reasons(event: Event | store.Ended, deliveries: Iterable[Delivery | store.Tried]) -> str:
    if event.state != EventState.FAILED:
        return ""
    last = [row for row in deliveries if row.replay == event.replay_count]
    return "; ".join(f"{Channel(row.channel).name}: {row.error or row.state}" for row in last)
