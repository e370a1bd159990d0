"""The sources of events, their rights and their keys."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from users.link_hosts import LONGEST as LONGEST_LINK_HOST
from users.link_hosts import validate_link_host
from users.models.topics import validate_topic


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
    may_create_people = models.BooleanField(
        default=False,
        help_text="An event of it may carry a recipient, who is created or completed just in time.",
    )
    may_vouch = models.BooleanField(
        default=False,
        verbose_name="may vouch for addresses",
        help_text="An address that it calls verified is used without asking the person.",
    )
    people_prefixes = ArrayField(
        models.CharField(max_length=128),
        default=list,
        blank=True,
        help_text="Beginnings of the user_ids that it may address and manage, separated by commas.",
    )
    people_groups = ArrayField(
        models.CharField(max_length=150),
        default=list,
        blank=True,
        help_text="Groups whose members it may address and manage. Neither of both: everybody.",
    )
    link_hosts = ArrayField(
        models.CharField(max_length=LONGEST_LINK_HOST, validators=[validate_link_host]),
        default=list,
        db_default=[],
        blank=True,
        help_text=(
            "Hosts that its messages may link to and show images from, separated by commas: docs.example.com,"
            " or *.example.com for all hosts below example.com. Empty: none, its links are shown as text."
        ),
    )
    allow_stream = models.BooleanField(
        default=False,
        verbose_name="may use the Redis stream",
        help_text="Everyone with write access to the stream can then send as this source.",
    )
    events_per_day = models.PositiveIntegerField(
        default=0,
        db_default=0,
        help_text="Events that it may send between midnight and midnight, UTC. 0: no limit.",
    )
    open_events = models.PositiveIntegerField(
        default=0,
        db_default=0,
        verbose_name="open events at most",
        help_text="Events of it that may wait for their end at the same time. 0: no limit.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return self.name


class ApiKey(models.Model):
    """An API key of a source. Only its prefix and a digest of its secret are stored."""

    SCOPES: ClassVar[tuple[str, ...]] = ("publish", "read", "replay", "tickets", "people", "admin")

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="api_keys")
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    secret_digest = models.BinaryField(max_length=32, editable=False)
    scopes = ArrayField(
        models.CharField(max_length=16, choices=[(scope, scope) for scope in SCOPES]), default=list
    )
    note = models.CharField(
        "name",
        max_length=100,
        blank=True,
        help_text="Where this key is used, such as the host or the service.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="To within five minutes. Empty: never."
    )
    test = models.BooleanField(
        "test key",
        default=False,
        db_default=False,
        editable=False,
        help_text="Its events are routed and rendered, and nothing is sent.",
    )
    rate_per_s = models.PositiveIntegerField(
        "rate per second",
        null=True,
        blank=True,
        help_text="Events and calls per second, on average. Empty: the default of the service; 0: no limit.",
    )
    burst = models.PositiveIntegerField(
        null=True, blank=True, help_text="Events and calls at once. Empty: ten seconds' worth of the rate."
    )
    expires_at = models.DateTimeField(
        null=True, blank=True, help_text="From then on it is refused. A rotation sets it for the old key."
    )
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"tsn_{self.prefix}_…"
