"""The input and the result of accepting events, without SQL."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from notifications.effects import Effects
from notifications.events import Envelope, Plan, Planned
from notifications.settings import pipeline_settings
from notifications.states import EndCode, EventState, Priority, SkipReason, StoredAs


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A valid event with the plan that routing made for it."""

    envelope: Envelope
    person_id: int
    plan: Plan
    expires_at: datetime
    ack_timeout_ms: int
    broadcast_id: uuid.UUID | None = None


def acceptance(
    item: Planned[Envelope], *, now: datetime, broadcast_id: uuid.UUID | None = None
) -> Acceptance:
    """Return the event to store, with its expiry and its confirmation timeout."""
    envelope = item.request
    return Acceptance(
        envelope=envelope,
        person_id=item.recipient.id,
        plan=item.plan,
        expires_at=_expires_at(envelope, item.plan, now),
        ack_timeout_ms=envelope.ack_timeout_ms or pipeline_settings().ack_timeout_ms,
        broadcast_id=broadcast_id,
    )


def _expires_at(envelope: Envelope, plan: Plan, now: datetime) -> datetime:
    """Return when an event expires: one whose producer did not say when, not while it is held."""
    at = expires_at(envelope, now=now)
    released_at = max((step.hold_until for step in plan.steps if step.hold_until), default=None)
    if released_at is None or envelope.deadline_ms:
        return at
    return max(at, released_at + default_expiry(envelope.priority))


def default_expiry(priority: Priority) -> timedelta:
    settings = pipeline_settings()
    critical = priority is Priority.CRITICAL
    return timedelta(seconds=settings.expiry_critical_s if critical else settings.expiry_normal_s)


def expires_at(envelope: Envelope, *, now: datetime) -> datetime:
    """Return when the event is no longer worth sending: the producer's `expires_at`, else by priority."""
    if envelope.expires_at_ms:
        return datetime.fromtimestamp(envelope.expires_at_ms / 1000, UTC)
    return now + default_expiry(envelope.priority)


_WISHED = {
    SkipReason.MUTED: EndCode.MUTED,
    SkipReason.THROTTLED: EndCode.THROTTLED,
    SkipReason.EXPIRES_WHILE_HELD: EndCode.EXPIRES_WHILE_HELD,
    SkipReason.NEVER_OPEN: EndCode.NEVER_OPEN,
}


def end_code(plan: Plan) -> EndCode:
    """Return why an event whose plan has no step has ended."""
    wished = (_WISHED[SkipReason(line.reason)] for line in plan.trace if line.reason in _WISHED)
    return next(wished, EndCode.NO_CHANNEL)


@dataclass(frozen=True, slots=True)
class Stored:
    """The state of an event in the database after `accept`.

    `delivery_id` is the first delivery of an accepted event, if it has a step.
    """

    kind: StoredAs
    event_pk: int
    seq: int
    state: EventState
    code: str = ""
    final_at: datetime | None = None
    delivery_id: str = ""
    token: str = ""
    waits: bool = False  # for another event of its ordering key, from the same batch
    superseded_by: str = ""  # the id of the newer event that has taken its place
    effects: Effects | None = None  # of the end of earlier events whose place this batch has taken
