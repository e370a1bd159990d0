"""Compares every socket's `seq` with Postgres now and then, so that a lost wake costs only latency."""

from collections.abc import Sequence

from gateway.hub.threads import in_thread
from gateway.settings import edge_settings
from notifications.live import recovery
from runtime.loops import per_loop
from runtime.periodic import Periodic

_JITTER = 0.85  # with the tick and the query, no wake is late by more than twice `resync_s`

Head = tuple[int, str]  # seq, epoch


async def _heads(person_ids: Sequence[int]) -> dict[int, Head]:
    found: dict[int, Head] = await in_thread(recovery.heads, person_ids)
    return found


@per_loop
def resync() -> Periodic[int, Head]:
    """Return the comparison of the running event loop: watches person ids, finds `seq` and `epoch`."""
    return Periodic("resync", _heads, every_s=lambda: edge_settings().resync_s, jitter=_JITTER)
