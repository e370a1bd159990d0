"""How a person's addresses fare: whether each is used, why not, and what its last messages came to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from notifications.models import Delivery, Event
from notifications.states import Channel, DeliveryState
from notifications.transports import registry
from notifications.transports.spec import VerifiedBy
from users.models import Destination, User

_NEWEST = 200  # events of the person, in which the last messages are looked for


@dataclass(slots=True)
class Health:
    """One address. `last_sent` and `last_failure` are of the person's newest events."""

    destination: Destination
    takes_codes: bool
    last_sent: datetime | None = None
    last_failure: datetime | None = None
    last_error: str = ""

    @property
    def is_usable(self) -> bool:
        return self.destination.verified_at is not None and self.destination.disabled_at is None

    @property
    def state(self) -> str:
        if self.destination.disabled_at is not None:
            return "disabled"
        if self.destination.verified_at is None:
            return "not verified"
        return "in trouble" if self._failed_last else "in use"

    @property
    def level(self) -> str:
        return {"in use": "ok", "in trouble": "warn", "not verified": "warn"}.get(self.state, "error")

    @property
    def _failed_last(self) -> bool:
        return self.last_failure is not None and (self.last_sent or self.last_failure) <= self.last_failure


def health_of(person: User) -> list[Health]:
    """Return the health of every address, by channel."""
    rows = person.destinations.prefetch_related("sources").order_by("kind", "pk")
    found = {one.pk: Health(one, _takes_codes(one)) for one in rows}
    if found:
        _add_last_messages(person, found)
    return list(found.values())


def _takes_codes(one: Destination) -> bool:
    return one.verified_at is None and registry.spec(Channel(one.kind)).verified_by is VerifiedBy.CODE


def _add_last_messages(person: User, found: Mapping[int, Health]) -> None:
    newest = Event.objects.filter(person=person).order_by("-seq").values_list("pk", flat=True)[:_NEWEST]
    ended = Delivery.objects.filter(event__in=list(newest), destination__in=found, ended_at__isnull=False)
    for row in ended.order_by("ended_at").only("destination", "state", "ended_at", "failure_kind", "error"):
        assert row.destination_id is not None
        health = found[row.destination_id]
        if row.state == DeliveryState.SENT:
            health.last_sent = row.ended_at
        elif row.state == DeliveryState.FAILED:
            health.last_failure, health.last_error = row.ended_at, row.error or row.failure_kind
