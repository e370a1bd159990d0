"""Payloads to try a template with, by event type. The gateway, which knows the contract, offers them."""

from collections.abc import Mapping

from notifications.events import JsonObject
from notifications.rendering.shipped import stem_of

_samples: dict[str, JsonObject] = {}


def offer(samples: Mapping[str, JsonObject]) -> None:
    _samples.update(samples)


def names() -> list[str]:
    """Return the event types that have a sample."""
    return list(_samples)


def of(event_type: str, *, is_family: bool = False) -> dict[str, JsonObject]:
    """Return the samples of a type, or of a family's types, by their types."""
    stem = stem_of(event_type)
    return {
        name: payload
        for name, payload in _samples.items()
        if stem_of(name) == stem or (is_family and stem_of(name).startswith(f"{stem}_"))
    }
