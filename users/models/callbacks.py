"""Where a source gets the final acks of its events by HTTP."""

from django.db import models
from django.utils import timezone

from users.encryption import EncryptedTextField
from users.models.sources import Source


class Callback(models.Model):
    """The callback URL of a source, with the secrets that sign what is sent there."""

    source = models.OneToOneField(Source, on_delete=models.CASCADE, primary_key=True, related_name="callback")
    url = models.CharField(
        "URL",
        max_length=500,
        help_text="https, on port 443 of a public host, or of one that CALLBACK_PRIVATE_HOSTS names.",
    )
    secret = EncryptedTextField(editable=False)
    old_secret = EncryptedTextField(editable=False, blank=True, default="")
    old_secret_until = models.DateTimeField(
        null=True, editable=False, help_text="Until then the old secret signs too."
    )
    owner_email = models.EmailField(
        "owner's e-mail", blank=True, help_text="Who is told when the callback is switched off."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    failing_since = models.DateTimeField(
        null=True, editable=False, help_text="Since then no call has succeeded."
    )
    disabled_at = models.DateTimeField(null=True, editable=False)
    disabled_reason = models.CharField(max_length=100, blank=True, editable=False)

    def __str__(self) -> str:
        return f"{self.source}: {self.url}"
