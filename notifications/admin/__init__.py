"""The admin of the pipeline: events, dead letters, replays and topics."""

from notifications.admin import dead_letters, events, topics  # noqa: F401  registers the models
