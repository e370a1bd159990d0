"""The retry of record: finds rows that are due, leased too long or unconfirmed, and rings again."""

from collections.abc import Iterator
from datetime import datetime

from notifications import store
from notifications.events import Effects
from notifications.settings import pipeline_settings


def sweep(*, now: datetime) -> Effects:
    """Look after every row whose time has come. Idempotent; two may run."""
    effects = Effects()
    for part in sweep_in_parts(now=now):
        effects.add(part)
    return effects


def sweep_in_parts(*, now: datetime) -> Iterator[Effects]:
    """Sweep, and hand out what follows after every few rows."""
    settings = pipeline_settings()
    yield from store.sweep_deliveries_in_parts(now=now, settings=settings)
    if broadcasts := store.broadcasts.sweep(now=now, again_s=settings.ring_again_s):
        yield broadcasts
