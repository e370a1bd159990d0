"""Input that could not be accepted."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from users.models import Hook


class Quarantine(models.Model):
    """Bytes that an ingress could not accept, with the reason: no input is thrown away."""

    received_at = models.DateTimeField(default=timezone.now)
    ingress = models.CharField(max_length=16)
    entry_id = models.CharField(max_length=64, blank=True, help_text="Where the ingress had it.")
    source_name = models.CharField(max_length=64, blank=True)
    code = models.CharField(max_length=40)
    reason = models.CharField(max_length=300)
    content = models.BinaryField()
    hook = models.ForeignKey(
        Hook, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    context = models.JSONField(
        default=dict, blank=True, help_text="What came beside the bytes: their type, headers, an account."
    )
    resolved_at = models.DateTimeField(null=True, blank=True, help_text="When a later try accepted it.")

    class Meta:
        verbose_name_plural = "quarantine"
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["ingress", "entry_id"],
                condition=~Q(entry_id=""),
                name="quarantine_once_per_entry",
            )
        ]

    def __str__(self) -> str:
        return f"{self.ingress} {self.entry_id} {self.code}"
