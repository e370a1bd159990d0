"""Periodic look-ups for many watchers: one query for all that are due, not a timer and a query each."""

import asyncio
import contextlib
import heapq
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from random import random
from typing import Generic, TypeVar

from runtime.postgres.away import DATABASE_AWAY

log = logging.getLogger(__name__)

Key = TypeVar("Key")
Found = TypeVar("Found")

_RETRY_S = 5.0


@dataclass(eq=False, slots=True)
class _Watcher(Generic[Key, Found]):
    key: Key
    callback: Callable[[Found], None]
    due: float


class Periodic(Generic[Key, Found]):
    """Looks up the key of each watcher every `every_s`, at random up to `1 + jitter` times that.

    One per event loop. Each tick, `look` gets the due keys, at most `batch`; the watchers of the keys in its
    answer are called back. Keys whose look-up failed are due again soon. `name` starts the log messages.
    """

    def __init__(
        self,
        name: str,
        look: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Found]]],
        *,
        every_s: Callable[[], float],
        jitter: float,
        batch: int = 1_000,
        tick_s: float = 1.0,
    ) -> None:
        self._name = name
        self._look = look
        self._every_s = every_s
        self._jitter = jitter
        self._batch = batch
        self._tick_s = tick_s
        self._watchers: dict[int, _Watcher[Key, Found]] = {}
        self._numbers = count()
        self._turns: list[tuple[float, int]] = []  # a heap; a turn that is not its watcher's `due` is void
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def watching(self, key: Key, callback: Callable[[Found], None]) -> Iterator[None]:
        """Call `callback` with what `look` finds for `key`, time and again while the block runs."""
        number = next(self._numbers)
        self._watchers[number] = _Watcher(key, callback, 0.0)
        self._plan(number, self._pause_s())
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())
        try:
            yield
        finally:
            del self._watchers[number]

    def hurry(self, which: Callable[[Key], bool] | None = None, *, at_once: bool = False) -> None:
        """Make all keys due, or `which`: by the next tick, one batch a tick, or all `at_once`."""
        for number, watcher in self._watchers.items():
            if which is None or which(watcher.key):
                self._plan(number, 0.0)
        if at_once:
            self._wake.set()

    def _pause_s(self) -> float:
        return self._every_s() * (1 + self._jitter * random())  # noqa: S311

    def _plan(self, number: int, wait_s: float) -> None:
        due = asyncio.get_running_loop().time() + wait_s
        self._watchers[number].due = due
        heapq.heappush(self._turns, (due, number))

    async def _run(self) -> None:
        while self._watchers:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._tick_s)
            at_once = self._wake.is_set()
            self._wake.clear()
            while due := self._take_due():
                await self._look_up(due)
                if not at_once:
                    break

    def _take_due(self) -> list[int]:
        now = asyncio.get_running_loop().time()
        due: list[int] = []
        while self._turns and self._turns[0][0] <= now and len(due) < self._batch:
            at, number = heapq.heappop(self._turns)
            watcher = self._watchers.get(number)
            if watcher is not None and watcher.due == at:
                due.append(number)
                self._plan(number, self._pause_s())
        return due

    async def _look_up(self, due: Sequence[int]) -> None:
        try:
            found = await self._look([self._watchers[number].key for number in due])
        except Exception as error:
            if isinstance(error, DATABASE_AWAY):
                log.warning("%s_postponed", self._name, extra={"error": type(error).__name__})
            else:
                log.exception("%s_failed", self._name)
            for number in due:
                if number in self._watchers:
                    self._plan(number, _RETRY_S)
            return
        for number in due:
            watcher = self._watchers.get(number)  # it may have left during the look-up
            if watcher is not None and watcher.key in found:
                self._call_back(watcher, found[watcher.key])

    def _call_back(self, watcher: _Watcher[Key, Found], found: Found) -> None:
        try:
            watcher.callback(found)
        except Exception:
            log.exception("%s_failed", self._name)
