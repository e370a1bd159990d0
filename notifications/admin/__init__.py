"""The admin of the pipeline: events, dead letters, replays, topics, templates, and codes for addresses."""

from notifications.admin import dead_letters, destinations, events, templates, topics  # noqa: F401  registers the models
