"""The retry of record: finds rows that are due, leased too long or unconfirmed, and rings again."""

from collections.abc import Iterator
from datetime import datetime

from notifications import knobs, store
from notifications.events import Aftermath


def sweep(*, now: datetime) -> Aftermath:
    """Look after every row whose time has come. Idempotent; two may run."""
    return store.rings_due(now=now, knobs=knobs.current())


def sweep_in_parts(*, now: datetime) -> Iterator[Aftermath]:
    """Sweep, and hand out what follows after every few rows."""
    yield from store.rings_due_in_parts(now=now, knobs=knobs.current())
