"""The admin of the pipeline: events, dead letters, replays, topics and message templates."""

from notifications.admin import dead_letters, events, templates, topics  # noqa: F401  registers the models
