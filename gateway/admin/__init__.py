"""What only the gateway can add to the admin: the person's pages, and which event types exist."""

from gateway.admin import checked, hooks, people  # noqa: F401  registers the models
