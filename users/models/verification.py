"""Codes that were sent to an address: who enters one reads what arrives there."""

from typing import ClassVar

from django.db import models
from django.utils import timezone

from users.models.destinations import Destination
from users.models.people import User


class Verification(models.Model):
    """A code and a link that were sent to one address. Only digests of them are stored; one is good once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="verifications")
    # A removed destination leaves the row: what was sent to its address still counts.
    destination = models.ForeignKey(
        Destination, on_delete=models.SET_NULL, null=True, related_name="verifications"
    )
    address_digest = models.BinaryField(max_length=32, editable=False)
    code_digest = models.BinaryField(max_length=32, editable=False)
    token_digest = models.BinaryField(max_length=32, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(db_index=True)
    wrong_tries = models.PositiveSmallIntegerField(default=0)
    ended_at = models.DateTimeField(
        null=True, help_text="When it was used, replaced by another, or tried too often."
    )

    class Meta:
        ordering: ClassVar = ["-created_at"]
        indexes: ClassVar = [
            models.Index(fields=["address_digest", "created_at"], name="verification_by_address")
        ]

    def __str__(self) -> str:
        return f"verification {self.pk}"
