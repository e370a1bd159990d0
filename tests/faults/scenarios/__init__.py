"""The rows of the release gate, one module for each part of the system that fails."""

from importlib import import_module

MODULES = (
    "workers",
    "broker",
    "database",
    "crashes",
    "ingress",
    "producer",
    "providers",
    "network",
    "live",
    "load",
    "edge",
    "commits",
    "unsafe",
    "strangers",
    "crowd",
    "backlog",
    "begun",
    "blame",
    "clocks",
    "waits",
    "sources",
    "tabs",
    "servers",
    "once",
    "restore",
    "order",
)


def register() -> None:
    """Import every module, so that its scenarios are registered."""
    for name in MODULES:
        import_module(f"{__name__}.{name}")
