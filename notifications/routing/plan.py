"""An event on its way to one person: with the plan that routing made, and as it will be stored."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from notifications import knobs, store
from notifications.events import Envelope, Plan
from notifications.routing.route import Person, route
from notifications.states import Priority
from notifications.transports.registry import supported


@dataclass(frozen=True, slots=True)
class Routed:
    """An envelope with its person and the plan that routing made."""

    envelope: Envelope
    person: Person
    plan: Plan


def routed(envelope: Envelope, person: Person, *, online: bool) -> Routed:
    plan = route(
        event_type=envelope.event_type,
        priority=envelope.priority,
        requested=envelope.channels,
        person=person,
        online=online,
        supported=supported(),
    )
    return Routed(envelope, person, plan)


def acceptance(item: Routed, *, now: datetime, broadcast_id: uuid.UUID | None = None) -> store.Acceptance:
    """Return what is to be stored: with its expiry and its confirmation deadline."""
    return store.Acceptance(
        envelope=item.envelope,
        person_id=item.person.id,
        plan=item.plan,
        expires_at=expires_at(item.envelope, now=now),
        ack_timeout_ms=item.envelope.ack_timeout_ms or knobs.current().ack_timeout_ms,
        broadcast_id=broadcast_id,
    )


def expires_at(envelope: Envelope, *, now: datetime) -> datetime:
    """Return when the event is no longer worth sending: as its producer says, else by its priority."""
    if envelope.expires_at_ms:
        return datetime.fromtimestamp(envelope.expires_at_ms / 1000, UTC)
    settings = knobs.current()
    critical = envelope.priority is Priority.CRITICAL
    return now + timedelta(seconds=settings.expiry_critical_s if critical else settings.expiry_normal_s)
