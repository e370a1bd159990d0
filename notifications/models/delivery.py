"""Deliveries and attempts: a row for each destination, and one for each send."""

import uuid
from collections.abc import Iterable
from typing import ClassVar

from django.db import models
from django.db.models import Q

from notifications import states
from notifications.models.choices import CHANNELS, PRIORITIES, choices
from notifications.models.event import Event
from notifications.models.message_template import TemplateVersion
from users.models import Destination


def _values(some: Iterable[states.DeliveryState]) -> list[str]:
    return sorted(state.value for state in some)  # in the same order in every process: migrations compare


class Delivery(models.Model):
    """One event on one destination: its row is the idempotency record of the send."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(primary_key=True, editable=False)
    event = models.ForeignKey(
        Event, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )  # see delivery_once_per_step
    channel = models.SmallIntegerField(choices=CHANNELS)
    destination = models.ForeignKey(
        Destination, on_delete=models.SET_NULL, null=True, blank=True, db_index=False
    )  # see delivery_of_destination: WEB has none
    position = models.SmallIntegerField(help_text="Index in the event's plan.")
    replay = models.SmallIntegerField(default=0, help_text="0: the first acceptance, 1: the first replay.")
    priority = models.SmallIntegerField(choices=PRIORITIES)
    state = models.CharField(max_length=12, choices=choices(states.DeliveryState))
    attempts = models.SmallIntegerField(default=0)
    created_at = models.DateTimeField()
    not_before = models.DateTimeField(help_text="No try before this, for the reason in `wait_reason`.")
    ring_at = models.DateTimeField(
        null=True, blank=True, help_text="When the sweep looks at this row. Empty: it has ended."
    )
    wait_reason = models.CharField(
        max_length=16,
        blank=True,
        db_default="",
        choices=choices(states.WaitReason),
        help_text="Why it waits, or last waited, until `not_before`.",
    )
    held_until = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Until when the person's wishes held it back."
    )
    digest_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When the digest is due that it waits for."
    )
    merged_into = models.UUIDField(
        null=True,
        blank=True,
        editable=False,
        help_text="The delivery whose message lists this event, with others. Empty: it has one of its own.",
    )
    waiting_since = models.DateTimeField(null=True, blank=True, editable=False)
    slot_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Reserved place within the provider's rate limit."
    )
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True)
    ack_deadline = models.DateTimeField(null=True, blank=True)
    possible_duplicate = models.BooleanField(default=False)
    provider_message_id = models.CharField(max_length=200, blank=True)
    template_version = models.ForeignKey(
        TemplateVersion,
        on_delete=models.DO_NOTHING,  # versions are never deleted
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,  # a checked key would lock the version's row at every send
        db_index=False,
        help_text="The stored wording that was sent. Empty: the shipped one, or the producer's own words.",
    )
    failure_kind = models.CharField(max_length=16, blank=True, choices=choices(states.FailureKind))
    error = models.CharField(max_length=300, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        ordering: ClassVar = ["event_id", "position"]
        constraints: ClassVar = [
            # One row for each step, which is one destination; a replay appends steps of its own. WEB has no
            # destination and a removed one becomes NULL: such rows do not exclude each other.
            models.UniqueConstraint(fields=["event", "position"], name="delivery_once_per_step"),
            models.UniqueConstraint(
                fields=["event", "replay", "channel", "destination"], name="delivery_once_per_destination"
            ),
            # An open delivery that the sweep never visits is lost; an ended one that it visits is sent again.
            models.CheckConstraint(
                condition=Q(ring_at__isnull=False, ended_at__isnull=True)
                | Q(ring_at__isnull=True, ended_at__isnull=False),
                name="delivery_swept_until_it_ends",
            ),
        ]
        indexes: ClassVar = [
            # Two: the sweep finds a lease that has expired at once, however many rows wait.
            models.Index(
                fields=["priority", "ring_at"],
                condition=Q(ring_at__isnull=False, state__in=_values(states.DELIVERY_WAITING)),
                name="delivery_waiting",
            ),
            models.Index(
                fields=["priority", "ring_at"],
                condition=Q(ring_at__isnull=False, state__in=_values(states.DELIVERY_IN_FLIGHT)),
                name="delivery_in_flight",
            ),
            models.Index(
                fields=["destination"],
                condition=Q(destination__isnull=False),
                name="delivery_of_destination",
            ),
            models.Index(
                fields=["destination", "digest_at"],
                condition=Q(digest_at__isnull=False, ring_at__isnull=False),
                name="delivery_in_digest",
            ),
        ]

    def __str__(self) -> str:
        return f"{states.Channel(self.channel).name} {self.state}"


class Attempt(models.Model):
    """One attempt of a delivery. Rows are never changed."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="tries")
    number = models.SmallIntegerField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    outcome = models.CharField(max_length=16, choices=choices(states.AttemptOutcome))
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering: ClassVar = ["delivery", "id"]

    def __str__(self) -> str:
        return f"#{self.number} {self.outcome}"

    @property
    def latency_ms(self) -> int:
        return round((self.ended_at - self.started_at).total_seconds() * 1000)
