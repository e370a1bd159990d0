"""Links with which a person connects an address of theirs that only they can write from."""

from typing import ClassVar

from django.db import models
from django.utils import timezone

from users.models.people import User


class LinkToken(models.Model):
    """A link for one address on a channel. Only a digest of its token is stored; it is good once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="link_tokens")
    kind = models.SmallIntegerField(help_text="The channel.")
    token_digest = models.BinaryField(max_length=32, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(db_index=True)
    # The first address that opens a link is the only one that can use it.
    opened_by = models.BinaryField(
        max_length=32, null=True, editable=False, help_text="Digest of an address."
    )
    ended_at = models.DateTimeField(null=True, help_text="When it was used or declined.")

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return f"link {self.pk}"
