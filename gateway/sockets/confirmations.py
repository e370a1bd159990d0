"""Confirmations of all sockets of this process, gathered into few updates.

They are kept until they are stored, also while the database is away. A killed process loses a few
milliseconds of them: clients confirm again when they receive the events again, and at worst the next channel
is used.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence

from gateway.hub.hub import hub
from gateway.hub.threads import in_thread
from gateway.server.shutdown import at_shutdown
from notifications import acks, dispatch
from notifications.effects import Changed
from notifications.events import EventRef
from notifications.live import pubsub
from notifications.live.frames import changed_frames
from runtime.batching import Batcher
from runtime.loops import per_loop
from runtime.postgres import clock
from runtime.postgres.away import DATABASE_AWAY

log = logging.getLogger(__name__)

Pair = tuple[int, EventRef]  # by a person

AT_MOST = 50_000  # kept while the database is away
_BATCH = 1_000
_GATHER_S = 0.004
_AGAIN_S, _AGAIN_MAX_S = 0.1, 2.0


class Overloaded(Exception):
    """Too many confirmations wait for the database; none of these was added."""


class Confirmations:
    """One per event loop. All confirmations that gather for one update share one future."""

    def __init__(self) -> None:
        self._waiting: dict[Pair, str] = {}  # → the socket that was first to confirm
        self._storing = 0
        self._stored: asyncio.Future[None] | None = None  # of the pairs in `_waiting`
        self._batcher = Batcher[dict[Pair, str], None](self._store, weight=1, gather_s=_GATHER_S)

    def add(self, person_id: int, refs: Iterable[EventRef], socket_id: str) -> "asyncio.Future[None]":
        """Add the confirmations of one socket; return the future that is done when they are stored.

        Raises: `Overloaded`.
        """
        pairs = [(person_id, ref) for ref in refs]
        if len(self._waiting) + self._storing + len(pairs) > AT_MOST:
            raise Overloaded
        for pair in pairs:
            self._waiting.setdefault(pair, socket_id)
        if self._stored is None:
            self._stored = self._batcher.put(self._waiting)
        return self._stored

    async def flush(self) -> None:
        """Return when all confirmations are stored. Bound it with a timeout."""
        await self._batcher.flush()

    async def _store(self, gathered: Sequence[dict[Pair, str]]) -> list[None]:
        [pairs] = gathered
        self._waiting, self._stored = {}, None
        self._storing = len(pairs)
        items = list(pairs.items())
        for start in range(0, len(items), _BATCH):
            batch = dict(items[start : start + _BATCH])
            sockets = {person_id: hub().socket_count(person_id) for person_id, _ in batch}
            await self._retry_while_database_away(batch, sockets)
        self._storing = 0
        return [None]

    async def _retry_while_database_away(self, batch: dict[Pair, str], sockets: dict[int, int]) -> None:
        pause_s = _AGAIN_S
        while True:
            try:
                return await in_thread(_confirm, batch, sockets)
            except DATABASE_AWAY as error:
                log.warning("confirmations_wait", extra={"error": type(error).__name__, "count": len(batch)})
            except Exception:  # a batch that can never be stored must not block the next ones
                log.exception("confirmations_lost")
                return None
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _AGAIN_MAX_S)


def _confirm(batch: dict[Pair, str], sockets: dict[int, int]) -> None:
    """Store a batch, and notify the persons' other sockets. `sockets`: each person's number here."""
    effects = acks.confirm(list(batch), now=clock.now())
    dispatch.run_effects_later(effects)
    processes = pubsub.process_counts({change.person_id for change in effects.confirmed})
    first_to_confirm = list(batch.values())
    elsewhere: dict[str, list[Changed]] = defaultdict(list)
    for change in effects.confirmed:
        if sockets[change.person_id] > 1 or processes.get(change.person_id, 0) > 1:
            elsewhere[first_to_confirm[change.position]].append(change)
    pubsub.push(
        [
            (person_id, pubsub.except_for(socket_id, frame))
            for socket_id, changes in elsewhere.items()
            for person_id, frame in changed_frames("event.cancelled", changes)
        ]
    )


@per_loop
def confirmations() -> Confirmations:
    """Return the confirmations of the running event loop."""
    created = Confirmations()
    at_shutdown(created.flush)
    return created
