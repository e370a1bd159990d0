"""Confirmations of all sockets of this process, gathered into few updates.

What was taken is kept until it is stored, also while the database is away. A process that is killed
forgets a few milliseconds of them: the clients confirm again what they are sent again, and at worst the
next channel rings.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable

from django.utils import timezone

from gateway.hub.hub import hub
from gateway.hub.threads import in_thread
from gateway.server.shutdown import at_shutdown
from notifications import acks, dispatch
from notifications.live import pubsub
from runtime.loops import per_loop
from runtime.postgres.away import DATABASE_AWAY

log = logging.getLogger(__name__)

Pair = tuple[int, str]  # person id, event id

AT_MOST = 50_000  # kept while the database is away
_BATCH = 1_000
_GATHER_S = 0.004
_AGAIN_S, _AGAIN_MAX_S = 0.1, 2.0


class Overloaded(Exception):
    """More confirmations wait for the database than this process keeps; nothing of this was taken."""


class Confirmations:
    """One per event loop."""

    def __init__(self) -> None:
        self._waiting: dict[Pair, str] = {}  # → the socket that was first to confirm
        self._taken = 0
        self._stored: asyncio.Future[None] | None = None  # set with what has been added since the last start
        self._task: asyncio.Task[None] | None = None

    def add(self, person_id: int, event_ids: Iterable[str], socket_id: str) -> "asyncio.Future[None]":
        """Take confirmations of one socket. The answer is done when they are stored.

        Raises: `Overloaded`.
        """
        pairs = [(person_id, event_id) for event_id in event_ids]
        if len(self._waiting) + self._taken + len(pairs) > AT_MOST:
            raise Overloaded
        for pair in pairs:
            self._waiting.setdefault(pair, socket_id)
        loop = asyncio.get_running_loop()
        if self._stored is None:
            self._stored = loop.create_future()
        if self._task is None:
            self._task = loop.create_task(self._run())
        return self._stored

    async def flush(self) -> None:
        """Return when everything that was taken is stored. For a graceful stop: bound it by a timeout."""
        while self._task is not None:
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(_GATHER_S)
                waiting, self._waiting = self._waiting, {}
                stored, self._stored = self._stored, None
                self._taken = len(waiting)
                await self._store(list(waiting.items()))
                self._taken = 0
                if stored is not None and not stored.done():
                    stored.set_result(None)
        finally:
            self._task = None

    async def _store(self, taken: list[tuple[Pair, str]]) -> None:
        for start in range(0, len(taken), _BATCH):
            batch = dict(taken[start : start + _BATCH])
            sockets = {person_id: hub().socket_count(person_id) for person_id, _ in batch}
            await self._retry_while_database_away(batch, sockets)

    async def _retry_while_database_away(self, batch: dict[Pair, str], sockets: dict[int, int]) -> None:
        pause_s = _AGAIN_S
        while True:
            try:
                return await in_thread(_confirm, batch, sockets)
            except DATABASE_AWAY as error:
                log.warning("confirmations_wait", extra={"error": type(error).__name__, "count": len(batch)})
            except Exception:  # a batch that can never be stored must not keep the next ones back
                log.exception("confirmations_lost")
                return None
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _AGAIN_MAX_S)


def _confirm(batch: dict[Pair, str], sockets: dict[int, int]) -> None:
    """Store a batch, and tell the persons' other sockets. `sockets`: how many each has in this process."""
    effects = acks.confirm(list(batch), now=timezone.now())
    dispatch.run_effects_later(effects)
    processes = pubsub.processes({person_id for person_id, _ in effects.confirmed})
    elsewhere: dict[tuple[int, str], list[str]] = defaultdict(list)
    for person_id, event_id in effects.confirmed:
        if sockets[person_id] > 1 or processes.get(person_id, 0) > 1:
            elsewhere[person_id, batch[person_id, event_id]].append(event_id)
    pubsub.push(
        [
            (person_id, pubsub.except_for(socket_id, pubsub.frame("event.cancelled", event_ids=event_ids)))
            for (person_id, socket_id), event_ids in elsewhere.items()
        ]
    )


@per_loop
def confirmations() -> Confirmations:
    """Return those of the running event loop."""
    made = Confirmations()
    at_shutdown(made.flush)
    return made
