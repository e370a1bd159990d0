"""What the operator sets for everybody: groups of event types, and which channels they use by default."""

import re
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from users import channel_choices

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
