"""What a person wants: the order of channels, those that are off, mutes, hours, and how much is enough.

A row is for one event type, for a group, or, if it names neither, for every type.
"""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from users.models.event_groups import ChannelRule, DigestRule, EventGroup, Weekday, check_weekdays
from users.models.people import User


def _type_or_group(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(event_type="") | Q(group__isnull=True),
        name=name,
        violation_error_message="Name a type or a group, not both.",
    )


def _once(name: str, message: str, *more: str) -> list[models.UniqueConstraint]:
    """Return what allows one row for a type and one for a group."""
    return [
        models.UniqueConstraint(
            fields=["user", "event_type", *more],
            condition=Q(group__isnull=True),
            name=name,
            violation_error_message=message,
        ),
        models.UniqueConstraint(
            fields=["user", "group", *more], name=f"{name}_of_group", violation_error_message=message
        ),
    ]


class ForTypeOrGroup(models.Model):
    """For one event type, for a group, or for every type."""

    event_type = models.CharField(max_length=100, blank=True, help_text="Empty: every type, or the group.")
    group = models.ForeignKey(EventGroup, on_delete=models.CASCADE, null=True, blank=True)

    class Meta:
        abstract = True

    @property
    def of(self) -> str:
        return self.event_type or (str(self.group) if self.group else "every type")


class ChannelPreference(ForTypeOrGroup, ChannelRule):
    """The position of a channel in a user's order, and from which priority on it is used, if it is.

    A row for the event's own type takes precedence over the row for its group, and that one over the row for
    every type.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="channel_preferences")

    class Meta:
        ordering: ClassVar = ["event_type", "position"]
        constraints: ClassVar = [
            *_once(
                "preference_once_per_channel",
                "There is a preference for this channel and type already.",
                "channel",
            ),
            _type_or_group("preference_of_type_or_group"),
        ]

    def __str__(self) -> str:
        return f"{self.get_channel_display()} for {self.of}"


class Mute(ForTypeOrGroup):
    """Nothing of a type, of a group or at all is sent until a time; it is in the inbox."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="mutes")
    until = models.DateTimeField(null=True, blank=True, help_text="Empty: until it is lifted.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            *_once("mute_once", "This is muted already."),
            _type_or_group("mute_of_type_or_group"),
        ]

    def __str__(self) -> str:
        until = f"until {self.until:%Y-%m-%d %H:%M} UTC" if self.until else "until it is lifted"
        return f"{self.of} {until}"


class Throttle(ForTypeOrGroup):
    """At most so many events of one type in a period; what is more is in the inbox alone."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="throttles")
    at_most = models.PositiveSmallIntegerField(validators=[MinValueValidator(1)])
    per_s = models.PositiveIntegerField(validators=[MinValueValidator(1)], verbose_name="per seconds")

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            *_once("throttle_once", "There is a throttle for this already."),
            _type_or_group("throttle_of_type_or_group"),
        ]

    def __str__(self) -> str:
        return f"{self.of}: {self.at_most} per {self.per_s} s"


class Digest(ForTypeOrGroup, DigestRule):
    """When what a person gets on a channel goes together, as one message."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="digests")

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            *_once("digest_once", "There is a digest for this channel and type already.", "channel"),
            _type_or_group("digest_of_type_or_group"),
        ]

    def __str__(self) -> str:
        return f"{self.get_channel_display()} for {self.of}: {self.get_mode_display()}"


class Hours(models.Model):
    """A time of some weekdays on the person's clock: quiet hours, or a window to send in.

    One that ends before it starts ends on the next day; one that ends when it starts lasts a whole day.
    """

    class Kind(models.TextChoices):
        QUIET = "quiet", "quiet hours"
        WINDOW = "window", "send window"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="hours")
    kind = models.CharField(max_length=8, choices=Kind)
    weekdays = ArrayField(
        models.SmallIntegerField(choices=Weekday),
        validators=[check_weekdays],
        help_text="The days on which it starts.",
    )
    starts = models.TimeField()
    ends = models.TimeField(help_text="On the next day if it is not later; 00:00 is the end of the day.")

    class Meta:
        ordering: ClassVar = ["kind", "weekdays", "starts"]
        verbose_name_plural = "hours"

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.starts:%H:%M} to {self.ends:%H:%M}"


class PiercingOptOut(models.Model):
    """A group whose CRITICAL events heed the person's mutes, quiet hours and windows, as the others do."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="piercing_opt_outs")
    group = models.ForeignKey(EventGroup, on_delete=models.CASCADE)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user", "group"],
                name="piercing_opt_out_once",
                violation_error_message="The person has opted out already.",
            )
        ]

    def __str__(self) -> str:
        return str(self.group)

    def clean(self) -> None:
        if self.group_id and not self.group.may_opt_out_of_piercing:
            raise ValidationError({"group": "The operator does not allow this for the group."})
