"""Persons: who receives notifications, and who signs in."""

from typing import ClassVar
from zoneinfo import available_timezones

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.indexes import OpClass
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Upper
from django.utils.crypto import salted_hmac

from users.locales import DEFAULT, canonical_locale


def validate_time_zone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError("Use an IANA name such as Europe/Zurich.", code="unknown_time_zone")


class User(AbstractUser):
    """A person who receives notifications. `external_id` is the `user_id` in events."""

    external_id = models.CharField(max_length=128, unique=True, help_text="The user_id in events.")
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    locale = models.CharField(max_length=16, default=DEFAULT)
    profile_set_by = models.JSONField(
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        blank=True,
        editable=False,
        help_text="Who set locale and time_zone: a person's own choice is kept, a default may be replaced.",
    )
    sessions_valid_from = models.DateTimeField(
        null=True,
        editable=False,
        verbose_name="signed out everywhere",
        help_text="Sessions, tokens and tickets from before this moment are not valid.",
    )

    erased_at = models.DateTimeField(
        null=True, editable=False, help_text="Since then nothing here is about anybody."
    )

    class Meta(AbstractUser.Meta):
        # For the search in the admin: the beginnings of names and of a login's e-mail.
        indexes: ClassVar = [
            models.Index(OpClass(Upper(name), name="varchar_pattern_ops"), name=f"user_by_{name}")
            for name in ("first_name", "last_name", "email")
        ]

    REQUIRED_FIELDS: ClassVar[list[str]] = ["email", "external_id"]

    def __str__(self) -> str:
        return self.external_id

    def clean(self) -> None:
        super().clean()
        try:
            self.locale = canonical_locale(self.locale)
        except ValidationError as error:
            raise ValidationError({"locale": error}) from error

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Let a change of `sessions_valid_from` end browser sessions, as a change of the password does."""
        digest: str = super()._get_session_auth_hash(secret=secret)  # type: ignore[misc]
        if self.sessions_valid_from is None:
            return digest
        text = f"{digest} {self.sessions_valid_from.timestamp()}"
        return salted_hmac("users.sessions_valid_from", text, secret=secret, algorithm="sha256").hexdigest()
