"""The retry of record: finds rows that are due, leased too long or unconfirmed, and rings again."""

from collections.abc import Iterator
from datetime import datetime

from notifications import knobs, store
from notifications.events import Aftermath


def sweep(*, now: datetime) -> Aftermath:
    """Look after every row whose time has come. Idempotent; two may run."""
    aftermath = Aftermath()
    for part in sweep_in_parts(now=now):
        aftermath.add(part)
    return aftermath


def sweep_in_parts(*, now: datetime) -> Iterator[Aftermath]:
    """Sweep, and hand out what follows after every few rows."""
    settled = knobs.current()
    yield from store.rings_due_in_parts(now=now, knobs=settled)
    if broadcasts := store.broadcasts_due(now=now, again_s=settled.ring_again_s):
        yield broadcasts
