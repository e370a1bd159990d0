"""What is still to be done in chats: messages to be edited, and updates of a bot that were taken."""

from typing import ClassVar

from django.db import models

from notifications.events import JsonObject
from notifications.models.delivery import Delivery


class MessageEdit(models.Model):
    """A message that does not show yet that its event was acknowledged or read. Gone when it does."""

    delivery = models.OneToOneField(Delivery, on_delete=models.CASCADE, primary_key=True)
    wanted_at = models.DateTimeField(help_text="The change that it has to show at least.")
    due_at = models.DateTimeField(db_index=True)
    lease_until = models.DateTimeField(null=True, help_text="A worker edits it until then.")
    attempts = models.SmallIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.delivery_id)


class BotUpdate(models.Model):
    """An update of a bot that was taken: its provider delivers some of them twice."""

    bot_id = models.BigIntegerField()
    update_id = models.BigIntegerField()
    taken_at = models.DateTimeField(db_index=True)
    notices = models.JSONField[list[JsonObject], list[JsonObject]](
        default=list,
        help_text="Events that tell the person about it; published again with a second delivery.",
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["bot_id", "update_id"], name="bot_update_once")
        ]

    def __str__(self) -> str:
        return f"{self.bot_id}: {self.update_id}"
