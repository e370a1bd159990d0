"""Hooks: where systems that speak their own format post, and whose their accounts are."""

from typing import ClassVar

from django.db import models
from django.utils import timezone

from users.models.people import User
from users.models.sources import Source


class Hook(models.Model):
    """An address to post to, in one format, as one source. Only digests of its token's secrets are stored."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="hooks")
    normalizer = models.CharField(max_length=32, help_text="The format of what is posted.")
    note = models.CharField(max_length=100, blank=True, help_text="What posts to it.")
    options = models.JSONField(
        default=dict, blank=True, help_text="What the format leaves open: docs/normalizers.md."
    )
    enabled = models.BooleanField(default=True)
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    secret_digest = models.BinaryField(max_length=32, editable=False)
    previous_digest = models.BinaryField(max_length=32, null=True, editable=False)
    previous_until = models.DateTimeField(
        null=True, editable=False, help_text="Until then the token before the last rotation is good too."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    rotated_at = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return f"{self.normalizer} hook_{self.prefix}_…"


class Account(models.Model):
    """An account of another system, and the person whom its events are for."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="accounts")
    account = models.CharField(max_length=200, help_text="As the system names it, letter for letter.")
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="accounts")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering: ClassVar = ["source", "account"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["source", "account"],
                name="account_once_per_source",
                violation_error_message="This source's account belongs to somebody already.",
            )
        ]

    def __str__(self) -> str:
        return self.account
