"""The admin of the pipeline: what happened, what did not arrive, and who sent it once more."""

from notifications.admin import dead_letters, events, topics  # noqa: F401  registers the models
