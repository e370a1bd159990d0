"""What a person wants: the order of channels, and those that are off."""

from typing import ClassVar

from django.db import models

from users import channel_choices
from users.models.people import User


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
