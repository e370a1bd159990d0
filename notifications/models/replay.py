"""The audit of replays."""

import uuid
from typing import ClassVar

from django.db import models

from notifications import states
from notifications.events import JsonObject
from notifications.models.choices import choices


class Replay(models.Model):
    """Who replayed which events, and when. Written with the replay itself, never changed afterwards."""

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(
        primary_key=True, default=uuid.uuid4, editable=False
    )
    at = models.DateTimeField()
    surface = models.CharField(max_length=8, choices=choices(states.Surface))
    who = models.CharField(max_length=200, help_text="A person, a source and its key, or a system user.")
    filter = models.JSONField[JsonObject, JsonObject](default=dict, blank=True)
    forced = models.BooleanField(default=False, help_text="Also what had been delivered before.")
    count = models.IntegerField(default=0, help_text="Events that were accepted again.")
    paced_until = models.DateTimeField(help_text="When its last delivery is due.")

    class Meta:
        ordering: ClassVar = ["-at"]
        indexes: ClassVar = [models.Index(fields=["paced_until"], name="replay_by_pace")]

    def __str__(self) -> str:
        return str(self.id)
