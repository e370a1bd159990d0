"""What goes into accepting, and what comes out: no SQL here."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from notifications.events import Envelope, Plan
from notifications.states import Channel, EventState


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An event that may be stored, with the plan that routing made for it."""

    envelope: Envelope
    person_id: int
    plan: Plan
    expires_at: datetime
    ack_timeout_ms: int
    broadcast_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database now says about an event.

    `kind` is "accepted", "duplicate" (it was there, with the same content) or "conflict" (it was there,
    with other content). `delivery_id` is the first delivery of an accepted event, if it has a step.
    """

    kind: str
    event_pk: int
    seq: int
    state: EventState
    code: str = ""
    delivered_via: Channel | None = None
    evidence: str = ""
    final_at: datetime | None = None
    delivery_id: str = ""
    token: str = ""
