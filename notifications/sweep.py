"""The sweep: finds rows that are due, whose lease expired or that are unconfirmed, and continues them."""

import time
from collections.abc import Collection, Iterator
from datetime import datetime

from notifications import store
from notifications.effects import Effects
from notifications.settings import pipeline_settings
from notifications.states import Priority

_EDITS = 200  # messages to be edited that one sweep rings for
_WITHIN_S = 0.3  # the next sweep begins a second later, and goes on where this one stopped
_places: store.Places = {}  # of this process: another one looks from the start


def sweep(*, now: datetime) -> Effects:
    """Handle every due row. Idempotent; two may run in parallel."""
    effects = Effects()
    for part in sweep_in_parts(now=now):
        effects.add(part)
    return effects


def sweep_in_parts(
    *, now: datetime, idle: Collection[Priority] = store.SWEPT_PRIORITIES
) -> Iterator[Effects]:
    """Sweep for a part of a second, and yield the effects after every few rows.

    `idle`: priorities whose queue is short; rows that only wait for a worker are rung for these alone.
    """
    settings = pipeline_settings()
    stop_at = time.monotonic() + _WITHIN_S
    if broadcasts := store.broadcasts.sweep(now=now, again_s=settings.ring_again_s):
        yield broadcasts
    if due := store.edits.due(now=now, limit=_EDITS):
        yield Effects(edits=due)
    for part in store.sweep_deliveries_in_parts(now=now, settings=settings, idle=idle, places=_places):
        yield part
        if time.monotonic() > stop_at:
            break
