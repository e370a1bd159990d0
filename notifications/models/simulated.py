"""The events of test keys: apart from all others, so that no number, inbox or list mixes them."""

from typing import ClassVar

from django.db import models

from notifications.events import JsonObject
from users.models import Source


class SimulatedEvent(models.Model):
    """What an event would have become. It holds no recipient and no content."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="+", db_index=False)
    event_id = models.CharField(max_length=200)
    event_type = models.CharField(max_length=100)
    digest = models.BinaryField(max_length=32)
    accepted_at = models.DateTimeField()
    plan = models.JSONField[list[JsonObject], list[JsonObject]](default=list)
    trace = models.JSONField[list[JsonObject], list[JsonObject]](default=list)
    ack = models.JSONField[JsonObject, JsonObject](default=dict)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "event_id"], name="simulated_once_per_source"),
        ]
        indexes: ClassVar = [models.Index(fields=["accepted_at"], name="simulated_by_time")]

    def __str__(self) -> str:
        return self.event_id
