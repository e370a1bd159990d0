"""When the messages of a digest go together."""

from django.db import models


class DigestMode(models.TextChoices):
    OFF = "off", "each at once"
    INTERVAL = "interval", "by interval"
    SCHEDULE = "schedule", "at times of day"
    REPEATS = "repeats", "when they repeat"
