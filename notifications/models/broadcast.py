"""An event for all subscribers of a topic."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from notifications import states
from notifications.events import JsonObject
from notifications.models.choices import PRIORITIES, choices
from notifications.models.ends import final_has_a_time, reply_due
from notifications.models.ordered_json import OrderedJSONField
from users.models import Source


class Broadcast(models.Model):
    """One accepted event to a topic: every subscriber gets an `Event` of their own.

    `store.broadcasts` writes it. The row records the progress of the fan-out, which resumes after a crash.
    """

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(
        primary_key=True, default=uuid.uuid4, editable=False
    )
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="broadcasts")
    event_id = models.CharField(max_length=200)
    topic = models.CharField(max_length=128)
    event_type = models.CharField(max_length=100)
    priority = models.SmallIntegerField(choices=PRIORITIES)
    accepted_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    content = OrderedJSONField[JsonObject](help_text="What else every person's event says.")
    raw = models.BinaryField(help_text="The bytes as the producer sent them.")
    digest = models.BinaryField(max_length=32)
    state = models.CharField(max_length=12, choices=choices(states.EventState))
    told_up_to = models.BigIntegerField(default=0, help_text="Persons up to this id have their event.")
    told_at = models.DateTimeField(null=True, blank=True, help_text="When the last person had it.")
    ring_at = models.DateTimeField(
        null=True, blank=True, help_text="When the sweep looks at this row. Empty: it has ended."
    )
    counts = models.JSONField[dict[str, int], dict[str, int]](
        default=dict, blank=True, help_text="Persons by the state of their event, when it ended."
    )
    evidence = models.CharField(max_length=12, blank=True, choices=choices(states.Evidence))
    code = models.CharField(max_length=40, blank=True, help_text="Why nobody had it, machine-readable.")
    final_at = models.DateTimeField(null=True, blank=True)
    reply_to = models.CharField(max_length=8, blank=True)
    replied_at = models.DateTimeField(null=True, blank=True, help_text="Final ack put on the reply stream.")
    reply_read_at = models.DateTimeField(
        null=True, blank=True, help_text="The producer acknowledged that final ack."
    )

    class Meta:
        ordering: ClassVar = ["-accepted_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "event_id"], name="broadcast_once_per_source"),
            final_has_a_time("broadcast_final_state_has_a_time"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["ring_at"], condition=Q(ring_at__isnull=False), name="broadcast_to_ring"),
            reply_due("broadcast_reply_due"),
        ]

    def __str__(self) -> str:
        return self.event_id
