"""Comparing every socket's `seq` with Postgres now and then, so that a lost wake costs latency only.

One query a second for all sockets of the process whose turn it is.
"""

import asyncio
import contextlib
import heapq
import logging
from collections.abc import Callable, Iterator
from itertools import count
from random import random

from gateway.hub.threads import in_thread
from notifications import knobs
from notifications.live import recovery
from runtime.loops import per_loop
from runtime.postgres.away import DATABASE_AWAY

log = logging.getLogger(__name__)

Look = Callable[[int, str], None]

_TICK_S = 1.0
_JITTER = 0.85  # with the tick and the query, no wake is late by more than twice `resync_s`
_AT_ONCE = 1_000  # persons in one query


class Resync:
    """One per event loop. Each socket has its turn after `resync_s` to twice as long, at random."""

    def __init__(self) -> None:
        self._watched: dict[int, tuple[int, Look]] = {}
        self._turns: list[tuple[float, int]] = []
        self._numbers = count()
        self._task: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def watching(self, person_id: int, look: Look) -> Iterator[None]:
        """Call `look(seq, epoch)` from time to time while the block runs."""
        number = next(self._numbers)
        self._watched[number] = (person_id, look)
        self._plan(number)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())
        try:
            yield
        finally:
            del self._watched[number]

    def hurry(self) -> None:
        """Give everybody their turn now: wakes may have been lost."""
        self._turns = [(0.0, number) for number in self._watched]

    def _plan(self, number: int) -> None:
        wait_s = knobs.current().resync_s * (1 + _JITTER * random())  # noqa: S311
        due = asyncio.get_running_loop().time() + wait_s
        heapq.heappush(self._turns, (due, number))

    async def _run(self) -> None:
        while self._watched:
            await asyncio.sleep(_TICK_S)
            try:
                await self._look(self._take_due())
            except Exception:  # everybody's safety net must not end with one socket's trouble
                log.exception("resync_failed")

    def _take_due(self) -> list[int]:
        now = asyncio.get_running_loop().time()
        due: list[int] = []
        while self._turns and self._turns[0][0] <= now and len(due) < _AT_ONCE:
            _, number = heapq.heappop(self._turns)
            if number in self._watched:
                due.append(number)
                self._plan(number)
        return due

    async def _look(self, due: list[int]) -> None:
        if not due:
            return
        try:
            found = await in_thread(recovery.heads, [self._watched[number][0] for number in due])
        except DATABASE_AWAY as error:
            log.warning("resync_postponed", extra={"error": type(error).__name__})
            return
        for number in due:
            person_id, look = self._watched.get(number, (0, None))
            if look is not None and person_id in found:
                look(*found[person_id])


@per_loop
def resync() -> Resync:
    """Return the one of the running event loop."""
    return Resync()
