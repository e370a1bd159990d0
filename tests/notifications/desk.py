"""Users and events in the database, and the results that workers record for them.

pytest loads this before Django is set up, so models are imported where they are used.
"""

from copy import copy
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from notifications.effects import Effects
from notifications.events import Envelope, Plan, PlanStep, SourceGrant
from notifications.states import AttemptOutcome, Channel, FailureKind, Priority

if TYPE_CHECKING:
    from notifications.models import Delivery, Event
    from notifications.store import Acceptance, Claimed, Failure, Success
    from users.models import Destination, User

ADDRESSES = {Channel.TELEGRAM: "4242{}", Channel.EMAIL: "person{}@example.org"}


class Desk:
    """Creates users and events, and looks up their deliveries."""

    def __init__(self, now: datetime) -> None:
        from users.models import Source

        self.now = now
        self.source = Source.objects.create(name="exchange")
        self.grant = SourceGrant(self.source.pk, self.source.name)

    def other_source(self) -> "Desk":
        """Return the desk of a second source, for the same people."""
        from users.models import Source

        other = copy(self)
        other.source = Source.objects.create(name="bank")
        other.grant = SourceGrant(other.source.pk, other.source.name)
        return other

    def person(self, name: str = "ada") -> "User":
        from users.models import User

        return User.objects.create(external_id=name, username=name)

    def address(self, person: "User", channel: Channel, **fields: Any) -> "Destination":
        count = person.destinations.count()
        values = {"verified_at": self.now} | fields
        values.setdefault("address", ADDRESSES.get(channel, "").format(count))
        return person.destinations.create(kind=channel.value, **values)

    def envelope(self, person: "User | str", event_id: str = "e1", **fields: Any) -> Envelope:
        values = {
            "source": self.grant,
            "event_id": event_id,
            "user_id": person if isinstance(person, str) else person.external_id,
            "event_type": "ORDER_FILLED",
            "timestamp_ms": round(self.now.timestamp() * 1000),
            "priority": Priority.NORMAL,
            "payload": {"symbol": "BTC/USDT"},
        } | fields
        values["digest"] = sha256(repr((values["user_id"], values["payload"])).encode()).digest()
        return Envelope(**values)

    def acceptance(
        self,
        person: "User",
        event_id: str = "e1",
        *steps: "Destination | None",
        expires_s: float = 3600,
        **fields,
    ) -> "Acceptance":
        """Return an event ready to be stored; a step is a destination, or None for the page."""
        from notifications.store import Acceptance

        return Acceptance(
            envelope=self.envelope(person, event_id, **fields),
            person_id=person.pk,
            plan=Plan(tuple(_step(step) for step in steps)),
            expires_at=self.now + timedelta(seconds=expires_s),
            ack_timeout_ms=fields.get("ack_timeout_ms", 5000),
        )

    def event(self, person: "User", *steps: "Destination | None", **fields: Any) -> "Event":
        """Accept one event and return it."""
        from notifications import store
        from notifications.models import Event

        event_id = fields.pop("event_id", "e1")
        [stored] = store.accept([self.acceptance(person, event_id, *steps, **fields)], now=self.now)
        return Event.objects.get(pk=stored.event_pk)

    def delivery(self, event: "Event", position: int = 0) -> "Delivery":
        from notifications.models import Delivery

        return Delivery.objects.get(event=event, position=position)

    def claim(self, row: "Delivery | str", *, now: datetime | None = None, **limits: Any) -> "Claimed":
        """Claim one row, which must be due."""
        [claimed] = claim([row if isinstance(row, str) else str(row.pk)], now=now or self.now, **limits)
        return claimed


def claim(ids: list[str], *, now: datetime, lease_s: float = 55, max_tries: int = 8) -> "list[Claimed]":
    """Claim what is due among these deliveries, as a worker does that has room for all of them."""
    from notifications import store

    due = store.look_up(ids, now=now, max_tries=max_tries)
    return store.claim(due, token=uuid4(), now=now, lease_s=lease_s)


def _step(destination: "Destination | None") -> PlanStep:
    if destination is None:
        return PlanStep(Channel.WEB)
    return PlanStep(Channel(destination.kind), destination.pk)


class Records:
    """Records the results of claimed tries, as `delivery` does."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.now = desk.now

    def failure(self, claimed: "Claimed", outcome: AttemptOutcome, error: str = "no") -> "Failure":
        from notifications.store import Failure

        return Failure(claimed, self.now, self.now, outcome, error)

    def success(self, claimed: "Claimed", message_id: str = "m1") -> "Success":
        from notifications.store import Success

        return Success(claimed.delivery_id, claimed.token, self.now, self.now, message_id)

    def sent(self, row: "Delivery | str", *, after_s: float = 0) -> tuple[Effects, list[str]]:
        """Claim the row `after_s` seconds after the desk's time and record that the provider accepted it."""
        from notifications import store

        claimed = self.desk.claim(row, now=self.desk.now + timedelta(seconds=after_s))
        return store.record_sent([self.success(claimed)])

    def failed(self, row: "Delivery | str", kind: FailureKind, error: str = "no") -> Effects:
        """Claim the row and record that its channel has failed."""
        from notifications import store

        claimed = self.desk.claim(row, now=self.now)
        return store.record_failed(
            self.failure(claimed, AttemptOutcome(kind.value), error), kind, now=self.now
        )

    def lost(self, row: "Delivery | str", backoff_s: float = 30) -> Effects:
        """Claim the row and record that the provider's answer was lost."""
        from notifications import store

        claimed = self.desk.claim(row, now=self.now)
        failure = self.failure(claimed, AttemptOutcome.UNKNOWN, "answer lost")
        return store.record_unknown(failure, now=self.now, backoff_s=backoff_s)
