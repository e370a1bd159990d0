"""Enabling destinations again: those that an incident disabled, or some that an operator chose."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count

from users.acting import acting
from users.models import Destination, DestinationQuerySet, Reactivation


@dataclass(frozen=True, slots=True)
class Incident:
    """What disabled destinations from `since` until before `until`, for a reason that contains `reason`.

    Example: `Incident(noon, one_o_clock, "the mail server refuses the recipient: 550")`.
    """

    since: datetime
    until: datetime
    reason: str
    kind: int | None = None

    def destinations(self) -> DestinationQuerySet:
        found = Destination.objects.filter(
            disabled_at__gte=self.since,
            disabled_at__lt=self.until,
            disabled_reason__icontains=self.reason,
        )
        return found if self.kind is None else found.filter(kind=self.kind)

    def reasons(self) -> list[tuple[str, int]]:
        """Return each reason and how many destinations it disabled, the most frequent first."""
        counted = self.destinations().values_list("disabled_reason").annotate(n=Count("pk"))
        return [(reason, count) for reason, count in counted.order_by("-n", "disabled_reason")]


@dataclass(frozen=True, slots=True)
class Operator:
    surface: Reactivation.Surface
    name: str


def undo(incident: Incident, *, by: Operator, now: datetime) -> Reactivation:
    """Enable what `incident` disabled, with its audit row in the same transaction."""
    with acting(by.surface, by.name):
        return Reactivation.objects.create(
            at=now,
            surface=by.surface,
            who=by.name,
            disabled_since=incident.since,
            disabled_until=incident.until,
            reason=incident.reason,
            kind=incident.kind,
            count=incident.destinations().enable(),
        )


def enable(chosen: DestinationQuerySet, *, by: Operator, now: datetime) -> Reactivation:
    """Enable the disabled ones among `chosen`, with their audit row in the same transaction."""
    with acting(by.surface, by.name):
        count = Destination.objects.filter(pk__in=chosen.values("pk"), disabled_at__isnull=False).enable()
        return Reactivation.objects.create(at=now, surface=by.surface, who=by.name, count=count)
