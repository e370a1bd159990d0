"""The retry of record: finds rows that are due, leased too long or unconfirmed, and rings again."""

from datetime import datetime

from notifications import knobs, store
from notifications.events import Aftermath


def sweep(*, now: datetime) -> Aftermath:
    """Look after every row whose time has come. Idempotent; two may run."""
    settled = knobs.current()
    aftermath = store.rings_due(now=now, knobs=settled)
    aftermath.add(store.broadcasts_due(now=now, again_s=settled.ring_again_s))
    return aftermath
