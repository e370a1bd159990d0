"""Where a channel reaches a person, and who enabled refused destinations again."""

from collections.abc import Collection
from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from users import channel_choices
from users.encryption import EncryptedTextField, Undecryptable, digests
from users.models.people import User
from users.models.sources import Source


class DestinationQuerySet(models.QuerySet["Destination"]):
    def enable(self) -> int:
        """Enable these destinations, as if they had never been refused. Return their number."""
        return self.update(disabled_at=None, disabled_reason="", recheck_at=None, rechecks=0)

    def disable(self, reason: str, *, now: datetime) -> int:
        """Disable these destinations until somebody enables them: no trial comes. Return their number."""
        return self.update(disabled_at=now, disabled_reason=reason[:200], recheck_at=None)


class Destination(models.Model):
    """A user's address on a channel. The kinds are the registered channels that need an address."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="destinations")
    kind = models.SmallIntegerField(choices=channel_choices.destination_kinds)
    address = EncryptedTextField(help_text="Encrypted at rest.")
    address_digest = models.BinaryField(max_length=32, editable=False)
    label = models.CharField(max_length=64, blank=True)
    position = models.PositiveSmallIntegerField(
        default=0,
        db_default=0,
        editable=False,
        help_text="Its place among the person's addresses on the channel; of equal ones the older is first.",
    )
    sources = models.ManyToManyField(
        Source,
        blank=True,
        related_name="+",
        help_text="The sources that brought it, and may take it back. None: the person or an operator did.",
    )
    verified_at = models.DateTimeField(
        null=True, blank=True, help_text="An unverified destination is never used."
    )
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_reason = models.CharField(max_length=200, blank=True)
    recheck_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        verbose_name="tried again at",
        help_text="When a destination that a provider refused is enabled again, on trial.",
    )
    rechecks = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)
    last_inbound_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When the person last wrote from this address."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = DestinationQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user", "kind", "address_digest"],
                name="destination_once_per_person",
                violation_error_message="This person has this address already.",
            ),
            models.CheckConstraint(
                condition=Q(disabled_at__isnull=True) | ~Q(disabled_reason=""),
                name="destination_disabled_with_reason",
                violation_error_message="Say why it is disabled.",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["address_digest"], name="destination_by_address"),
            models.Index(
                fields=["disabled_at"],
                name="destination_by_disabling",
                condition=Q(disabled_at__isnull=False),
            ),
            models.Index(
                fields=["recheck_at"],
                name="destination_by_recheck",
                condition=Q(disabled_at__isnull=False, recheck_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.masked}"

    def save(self, *args: object, **kwargs: object) -> None:
        self.set_address(self.address)
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    def clean(self) -> None:
        if not isinstance(self.address, Undecryptable):
            channel_choices.check_address(self.kind, self.address)
        self.set_address(self.address)

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """Check the fields that forms exclude too: `clean` sets the digest, an inline form sets the user."""
        super().validate_constraints(set(exclude or ()) - {"address_digest", "user"})

    @property
    def plain_address(self) -> str:
        """The address, or "" where no key decrypts it."""
        return "" if isinstance(self.address, Undecryptable) else self.address

    @property
    def masked(self) -> str:
        """The address with its middle hidden, for lists and logs."""
        if isinstance(self.address, Undecryptable):
            return str(self.address)
        name, at, host = self.address.partition("@")
        shown = name[:2] if len(name) > 4 else name[:1]
        return f"{shown}•••{at}{host}" if at and name else f"{shown}•••{self.address[-2:]}"

    def set_address(self, address: str) -> None:
        self.address = address
        if isinstance(address, Undecryptable):
            return  # the digest stays that of the encrypted address
        self.address_digest = digests([str(self.kind), address])[0]


class Reactivation(models.Model):
    """Who enabled which destinations again. Written with the change itself, never changed afterwards."""

    class Surface(models.TextChoices):
        ADMIN = "admin"
        COMMAND = "command"
        API = "api", "API"

    at = models.DateTimeField()
    surface = models.CharField(max_length=8, choices=Surface)
    who = models.CharField(
        max_length=200, help_text="A user of the admin, a system user, a source, or the person."
    )
    # Of an incident; empty for destinations that were chosen one by one.
    disabled_since = models.DateTimeField(null=True)
    disabled_until = models.DateTimeField(null=True)
    reason = models.CharField(
        max_length=200, blank=True, help_text="Part of the reason they were disabled for."
    )
    kind = models.SmallIntegerField(null=True, choices=channel_choices.destination_kinds)
    count = models.IntegerField(help_text="Destinations that were enabled.")

    class Meta:
        ordering: ClassVar = ["-at"]

    def __str__(self) -> str:
        return f"{self.count} by {self.who}"
