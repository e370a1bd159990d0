"""What the operator sets for everybody: groups of event types, their default channels, and their digests."""

import re
from collections.abc import Iterable
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from users import channel_choices
from users.digest_modes import DigestMode

_PATTERN = re.compile(r"[^*\0]*[^*\0]|[^*\0]+\*")


class EventGroup(models.Model):
    """Event types that people can mute, switch off or order together. A type is in one group at most."""

    name = models.SlugField(max_length=64, unique=True, help_text="As the API names it.")
    label = models.CharField(max_length=100, help_text="As people read it.")
    event_types = ArrayField(
        models.CharField(
            max_length=100,
            validators=[RegexValidator(rf"\A(?:{_PATTERN.pattern})\Z", "A * is the last letter.")],
        ),
        help_text="Names, or beginnings of names with a * at the end, separated by commas.",
    )
    mandatory = models.BooleanField(
        default=False,
        help_text="Cannot be muted, and keeps a channel when a person switches all of them off.",
    )
    may_opt_out_of_piercing = models.BooleanField(
        default=False,
        help_text="People may let its CRITICAL events wait for the end of their quiet hours and mutes.",
    )
    throttle_at_most = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        verbose_name="at most",
        help_text="Events of one type for one person; what is more is in the inbox alone.",
    )
    throttle_per_s = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], verbose_name="per seconds"
    )

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(throttle_at_most__isnull=True, throttle_per_s__isnull=True)
                | Q(throttle_at_most__isnull=False, throttle_per_s__isnull=False),
                name="event_group_throttle",
                violation_error_message="A throttle has a number and a period.",
            )
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse a type that another group has already."""
        for other in EventGroup.objects.exclude(pk=self.pk).filter(
            event_types__overlap=self.event_types or []
        ):
            both = ", ".join(sorted(set(other.event_types) & set(self.event_types)))
            raise ValidationError({"event_types": f"In the group {other} already: {both}."})


class ChannelRule(models.Model):
    """Whether a channel is used, from which priority on, and its place in the order."""

    class LowestPriority(models.IntegerChoices):
        INFORMATIONAL = 0
        NORMAL = 1
        CRITICAL = 2

    channel = models.SmallIntegerField(choices=channel_choices.preference_channels)
    position = models.PositiveSmallIntegerField(default=0, help_text="Lowest first.")
    enabled = models.BooleanField(default=True)
    min_priority = models.SmallIntegerField(
        choices=LowestPriority,
        default=LowestPriority.INFORMATIONAL,
        db_default=LowestPriority.INFORMATIONAL,
        verbose_name="from priority",
    )

    class Meta:
        abstract = True


def check_weekdays(weekdays: Iterable[int]) -> None:
    days = list(weekdays)
    if not days or len(set(days)) < len(days):
        raise ValidationError("Name at least one weekday, and each once.", code="invalid_weekdays")


class Weekday(models.IntegerChoices):
    MONDAY = 0
    TUESDAY = 1
    WEDNESDAY = 2
    THURSDAY = 3
    FRIDAY = 4
    SATURDAY = 5
    SUNDAY = 6


def every_day() -> list[int]:
    return list(Weekday)


class DigestRule(models.Model):
    """When what is sent on a channel goes together, as one message."""

    channel = models.SmallIntegerField(choices=channel_choices.destination_kinds)
    mode = models.CharField(max_length=8, choices=DigestMode)
    period_s = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        verbose_name="period in seconds",
        help_text="By interval: from the first one that waits. When they repeat: from the last message.",
    )
    times = ArrayField(
        models.TimeField(), default=list, blank=True, help_text="On the person's clock, separated by commas."
    )
    weekdays = ArrayField(
        models.SmallIntegerField(choices=Weekday), default=every_day, validators=[check_weekdays]
    )

    class Meta:
        abstract = True

    def clean(self) -> None:
        """Refuse a mode without what it needs."""
        if self.mode == DigestMode.SCHEDULE and not self.times:
            raise ValidationError({"times": "Name a time of day."})
        if self.mode in {DigestMode.INTERVAL, DigestMode.REPEATS} and not self.period_s:
            raise ValidationError({"period_s": "Give a period."})


class DefaultDigest(DigestRule):
    """The operator's digest on a channel, for everybody who has none of their own."""

    group = models.ForeignKey(
        EventGroup,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="digests",
        help_text="Empty: every type.",
    )

    class Meta:
        ordering: ClassVar = ["group", "channel"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["group", "channel"],
                nulls_distinct=False,
                name="default_digest_once_per_channel",
                violation_error_message="There is a digest for this channel already.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_channel_display()} for {self.group or 'every type'}: {self.get_mode_display()}"


class DefaultPreference(ChannelRule):
    """The operator's rule for a channel, for everybody who has none of their own."""

    group = models.ForeignKey(
        EventGroup,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="defaults",
        help_text="Empty: every type.",
    )

    class Meta:
        ordering: ClassVar = ["group", "position"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["group", "channel"],
                nulls_distinct=False,
                name="default_once_per_channel",
                violation_error_message="There is a default for this channel already.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_channel_display()} for {self.group or 'every type'}"
