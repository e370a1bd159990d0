"""The browsers in which a person is signed in."""

from typing import ClassVar

from django.db import models

from users.models.people import User


class SignIn(models.Model):
    """A browser session, as its person sees it. It is over once the session with its key is gone."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sign_ins")
    session_key = models.CharField(max_length=40, unique=True, editable=False)
    device = models.CharField(max_length=200, blank=True, help_text="What the browser says it is.")
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-at"]
        verbose_name = "sign-in"

    def __str__(self) -> str:
        return f"{self.device or 'a browser'} since {self.at:%Y-%m-%d %H:%M} UTC"
