"""What events and broadcasts share: an end with a time, and a final ack to the producer."""

from django.db import models
from django.db.models import Q

from notifications.states import EventState


def final_has_a_time(name: str) -> models.CheckConstraint:
    """Return the constraint: `final_at` is set when the state is final, and only then."""
    return models.CheckConstraint(
        condition=Q(state=EventState.ACCEPTED, final_at__isnull=True)
        | (~Q(state=EventState.ACCEPTED) & Q(final_at__isnull=False)),
        name=name,
    )


def reply_due(name: str) -> models.Index:
    """Return the index of the ended rows whose final ack is due on the reply stream."""
    return models.Index(
        fields=["final_at"],
        condition=Q(replied_at__isnull=True, final_at__isnull=False) & ~Q(reply_to=""),
        name=name,
    )
