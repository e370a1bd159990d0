"""The final acks that are sent to the callbacks of sources."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from users.models import Source


class CallbackMessage(models.Model):
    """One final ack on its way to the callback of its source, with the outcome of the last call."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="+", db_index=False)
    event_id = models.CharField(max_length=200)
    body = models.TextField()
    created_at = models.DateTimeField()
    attempts = models.SmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True, blank=True, help_text="When it is sent. Empty: it has ended.")
    delivered_at = models.DateTimeField(null=True, blank=True)
    last_status = models.SmallIntegerField(null=True, blank=True, help_text="HTTP status of the last call.")
    last_error = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        indexes: ClassVar = [
            models.Index(fields=["next_at"], condition=Q(next_at__isnull=False), name="callback_due"),
            models.Index(fields=["source", "-created_at"], name="callback_by_source"),
            models.Index(fields=["created_at"], name="callback_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.source}: {self.event_id}"

    @property
    def webhook_id(self) -> str:
        return f"msg_{self.pk.hex}"
