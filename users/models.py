"""Users with their destinations and preferences, the sources of events, and subscriptions to topics."""

import re
from collections.abc import Collection
from typing import ClassVar
from zoneinfo import available_timezones

from django.contrib.auth.models import AbstractUser, Group
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import salted_hmac

from users import channel_choices
from users.encryption import EncryptedTextField, Undecryptable, digests

TOPIC = re.compile(r"[A-Za-z0-9._:-]{1,128}")
validate_topic = RegexValidator(
    rf"\A{TOPIC.pattern}\Z", "Letters, digits and . _ : - only, at most 128.", "invalid_topic"
)


def validate_time_zone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError("Use an IANA name such as Europe/Zurich.", code="unknown_time_zone")


class User(AbstractUser):
    """A person who receives notifications. `external_id` is the `user_id` in events."""

    external_id = models.CharField(max_length=128, unique=True, help_text="The user_id in events.")
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    locale = models.CharField(max_length=16, default="en")
    sessions_valid_from = models.DateTimeField(
        null=True,
        editable=False,
        verbose_name="signed out everywhere",
        help_text="Sessions, tokens and tickets from before this moment are not valid.",
    )

    REQUIRED_FIELDS: ClassVar[list[str]] = ["email", "external_id"]

    def __str__(self) -> str:
        return self.external_id

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Let a change of `sessions_valid_from` end browser sessions, as a change of the password does."""
        digest: str = super()._get_session_auth_hash(secret=secret)  # type: ignore[misc]
        if self.sessions_valid_from is None:
            return digest
        text = f"{digest} {self.sessions_valid_from.timestamp()}"
        return salted_hmac("users.sessions_valid_from", text, secret=secret, algorithm="sha256").hexdigest()


class Source(models.Model):
    """A producer and its rights."""

    class HighestPriority(models.IntegerChoices):
        INFORMATIONAL = 0
        NORMAL = 1
        CRITICAL = 2

    name = models.SlugField(max_length=64, unique=True)
    enabled = models.BooleanField(default=True)
    event_types = ArrayField(
        models.CharField(max_length=100),
        default=list,
        blank=True,
        help_text="Event types it may send, separated by commas. Empty: all.",
    )
    max_priority = models.SmallIntegerField(
        choices=HighestPriority, default=HighestPriority.CRITICAL, verbose_name="highest priority"
    )
    topic_prefixes = ArrayField(
        models.CharField(max_length=128, validators=[validate_topic]),
        default=list,
        blank=True,
        help_text="Prefixes of the topics that it may publish to, separated by commas. Empty: none.",
    )
    allow_stream = models.BooleanField(
        default=False,
        verbose_name="may use the Redis stream",
        help_text="Everyone with write access to the stream can then send as this source.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return self.name


class ApiKey(models.Model):
    """An API key of a source. Only its prefix and a digest of its secret are stored."""

    SCOPES: ClassVar[tuple[str, ...]] = ("publish", "read", "replay", "tickets", "admin")

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="api_keys")
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    secret_digest = models.BinaryField(max_length=32, editable=False)
    scopes = ArrayField(
        models.CharField(max_length=16, choices=[(scope, scope) for scope in SCOPES]), default=list
    )
    note = models.CharField(max_length=100, blank=True, help_text="Where this key is used.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"tsn_{self.prefix}_…"


class DestinationQuerySet(models.QuerySet["Destination"]):
    def enable(self) -> int:
        """Enable these destinations, as if they had never been refused. Return their number."""
        return self.update(disabled_at=None, disabled_reason="", recheck_at=None, rechecks=0)


class Destination(models.Model):
    """A user's address on a channel. The kinds are the registered channels that need an address."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="destinations")
    kind = models.SmallIntegerField(choices=channel_choices.destination_kinds)
    address = EncryptedTextField(help_text="Encrypted at rest.")
    address_digest = models.BinaryField(max_length=32, editable=False)
    label = models.CharField(max_length=64, blank=True)
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

    at = models.DateTimeField()
    surface = models.CharField(max_length=8, choices=Surface)
    who = models.CharField(max_length=200, help_text="A user of the admin, or a system user.")
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


class ChannelPreference(models.Model):
    """The position of a channel in a user's order, and whether it is enabled, for one event type or for all.

    A row for the event's own type takes precedence over the row for every type (an empty `event_type`).
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="channel_preferences")
    event_type = models.CharField(max_length=100, blank=True, help_text="Empty: every type.")
    channel = models.SmallIntegerField(choices=channel_choices.preference_channels)
    position = models.PositiveSmallIntegerField(default=0, help_text="Lowest first.")
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering: ClassVar = ["event_type", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user", "event_type", "channel"],
                name="preference_once_per_channel",
                violation_error_message="There is a preference for this channel and type already.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_channel_display()} for {self.event_type or 'every type'}"


class TopicRule(models.Model):
    """Which users may subscribe to the topics that begin with a prefix.

    The rules of the longest prefix that matches a topic apply. Without a rule nobody may subscribe.
    """

    class Audience(models.TextChoices):
        EVERYBODY = "everybody", "everybody"
        GROUP = "group", "the members of a group"
        API = "api", "users whom a source subscribes"

    prefix = models.CharField(max_length=128, validators=[validate_topic])
    audience = models.CharField(max_length=12, choices=Audience)
    group = models.ForeignKey(Group, on_delete=models.CASCADE, null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["prefix", "audience"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["prefix", "audience"],
                condition=Q(group__isnull=True),
                name="topic_rule_once",
                violation_error_message="There is such a rule already.",
            ),
            models.UniqueConstraint(
                fields=["prefix", "group"],
                name="topic_rule_once_per_group",
                violation_error_message="There is such a rule already.",
            ),
            models.CheckConstraint(
                condition=Q(audience="group", group__isnull=False)
                | (~Q(audience="group") & Q(group__isnull=True)),
                name="topic_rule_group",
                violation_error_message="Name the group, for the members of a group only.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.prefix} for {self.group or self.get_audience_display()}"


class TopicSubscription(models.Model):
    """A user's subscription to a topic, on all of their sockets, until they unsubscribe."""

    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="topic_subscriptions")
    topic = models.CharField(max_length=128, validators=[validate_topic])
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering: ClassVar = ["topic"]
        constraints: ClassVar = [
            # Topic first: a fan-out reads the subscribers of one topic.
            models.UniqueConstraint(
                fields=["topic", "person"],
                name="topic_subscription_once",
                violation_error_message="This person follows this topic already.",
            )
        ]

    def __str__(self) -> str:
        return self.topic
