"""The sweep: finds rows that are due, whose lease expired or that are unconfirmed, and continues them."""

from collections.abc import Iterator
from datetime import datetime

from notifications import store
from notifications.events import Effects
from notifications.settings import pipeline_settings


def sweep(*, now: datetime) -> Effects:
    """Handle every due row. Idempotent; two may run in parallel."""
    effects = Effects()
    for part in sweep_in_parts(now=now):
        effects.add(part)
    return effects


def sweep_in_parts(*, now: datetime) -> Iterator[Effects]:
    """Sweep, and yield the effects after every few rows."""
    settings = pipeline_settings()
    yield from store.sweep_deliveries_in_parts(now=now, settings=settings)
    if broadcasts := store.broadcasts.sweep(now=now, again_s=settings.ring_again_s):
        yield broadcasts
