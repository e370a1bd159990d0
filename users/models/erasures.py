"""Erasures of persons: who asked for one, how far it is, and what it still has to look for."""

import uuid
from typing import ClassVar

from django.db import models

from users.encryption import EncryptedTextField
from users.models.people import User


class Erasure(models.Model):
    """One person's erasure: its order, its progress, and afterwards the record that it was done.

    The person's row stays as a tombstone without anything about them: events and audits refer to it.
    """

    class Surface(models.TextChoices):
        ADMIN = "admin"
        COMMAND = "command"
        API = "api", "API"

    id: "models.UUIDField[uuid.UUID, uuid.UUID]" = models.UUIDField(
        primary_key=True, default=uuid.uuid4, editable=False
    )
    person = models.OneToOneField(User, on_delete=models.PROTECT, related_name="erasure")
    at = models.DateTimeField()
    surface = models.CharField(max_length=8, choices=Surface)
    who = models.CharField(max_length=200, help_text="A user of the admin, a system user, or a source.")
    sought = EncryptedTextField(
        default="", help_text="The ids and addresses that are still looked for. Emptied when it is done."
    )
    erased_up_to = models.BigIntegerField(default=0, help_text="Events up to this seq are erased.")
    events = models.IntegerField(default=0, help_text="How many events there were, when it is done.")
    quiet_at = models.DateTimeField(
        null=True, help_text="Until then a send that had begun before may still be on its way."
    )
    finished_at = models.DateTimeField(null=True, db_index=True)

    class Meta:
        ordering: ClassVar = ["-at"]

    def __str__(self) -> str:
        return str(self.id)
