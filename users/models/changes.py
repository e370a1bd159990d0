"""What was changed of a person's addresses and preferences: a row for each, written by triggers."""

from typing import ClassVar

from django.db import models

from users.models.people import User


class PersonChange(models.Model):
    """One row of another table before and after a change. Triggers write it, by
    whatever statement it was changed. `users.acting` says who acts."""

    class Surface(models.TextChoices):
        ADMIN = "admin"
        API = "api", "API"
        CHAT = "chat"
        LINK = "link", "link in a message"
        COMMAND = "command"
        TOCSIN = "tocsin", "Tocsin itself"

    # The constraint is the migration's own: it deletes the rows with the person, also those of the deletion.
    user = models.ForeignKey(
        User, on_delete=models.DO_NOTHING, related_name="changes", db_constraint=False, db_index=False
    )
    at = models.DateTimeField()
    surface = models.CharField(max_length=8, choices=Surface)
    who = models.CharField(max_length=200, blank=True)
    subject = models.CharField(max_length=24, help_text="The table.")
    row = models.BigIntegerField(help_text="The row's id.")
    was = models.JSONField(null=True, help_text="Empty: it was added.")
    now = models.JSONField(null=True, help_text="Empty: it was removed.")

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["user", "-id"], name="change_of_person")]

    def __str__(self) -> str:
        return f"{self.subject} {self.row}"
