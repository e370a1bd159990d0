"""Batching: items that arrive while a call is busy share the next call.

`Batcher` serves one event loop, `ThreadBatcher` all threads of a process. Both keep the order of the items
and hold them in memory only: a crash loses them, so callers keep a record elsewhere or can do without.
What differs between users stays with them: retries, bounds and the merging of items are in their `call`.
"""

import asyncio
import atexit
import logging
import os
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Unavailable(Exception):
    """No call was free in time, or a dependency is away: the item was not handled."""


@dataclass(eq=False, slots=True)
class _Waiting(Generic[Item, Answer]):
    item: Item
    weight: int
    answer: "asyncio.Future[Answer]"
    timer: asyncio.TimerHandle | None = None

    def give_up(self) -> None:
        if not self.answer.done():
            self.answer.set_exception(Unavailable())


class Batcher(Generic[Item, Answer]):
    """Calls `call` with batches of items, at most `calls` at a time. One per event loop.

    `gather_s` says when a batch starts: None, as soon as a call is free; 0, in the next iteration of the
    loop, so that items of one iteration share a call; more, that many seconds later. A batch weighs `weight`
    at most, or is a single heavier item. A cancelled item is dropped; one that has waited for `patience_s`
    fails with `Unavailable`.

    `call` returns one answer for each item. An exception among the answers is raised to that item's caller,
    one that `call` raises to all callers of the batch.
    """

    def __init__(
        self,
        call: Callable[[Sequence[Item]], Awaitable[Sequence[Answer | Exception]]],
        *,
        weight: int,
        calls: int = 1,
        gather_s: float | None = None,
        patience_s: float | None = None,
    ) -> None:
        self._call = call
        self._weight = weight
        self._calls = calls
        self._gather_s = gather_s
        self._patience_s = patience_s
        self._waiting: deque[_Waiting[Item, Answer]] = deque()
        self._tasks: set[Any] = set()

    def put(self, item: Item, *, weight: int = 1) -> "asyncio.Future[Answer]":
        """Add an item; return the future of its answer."""
        loop = asyncio.get_running_loop()
        waiting: _Waiting[Item, Answer] = _Waiting(item, weight, loop.create_future())
        if self._patience_s is not None:
            waiting.timer = loop.call_later(self._patience_s, waiting.give_up)
        self._waiting.append(waiting)
        if len(self._tasks) < self._calls:
            batch = self._next() if self._gather_s is None else []
            self._tasks.add(loop.create_task(self._run(batch)))
        return waiting.answer

    async def flush(self) -> None:
        """Return when all items have been handled. Bound it with a timeout."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _run(self, batch: list[_Waiting[Item, Answer]]) -> None:
        """Handle this batch, then the next ones until no item waits."""
        try:
            while batch or self._waiting:
                if not batch:
                    if self._gather_s:
                        await asyncio.sleep(self._gather_s)
                    batch = self._next()
                if batch:
                    await self._answer(batch)
                    batch = []
        finally:
            self._tasks.discard(asyncio.current_task())

    def _next(self) -> list[_Waiting[Item, Answer]]:
        batch: list[_Waiting[Item, Answer]] = []
        weight = 0
        while self._waiting:
            if self._waiting[0].answer.done():
                self._waiting.popleft()
                continue
            weight += self._waiting[0].weight
            if batch and weight > self._weight:
                break
            batch.append(self._waiting.popleft())
        for waiting in batch:
            if waiting.timer is not None:
                waiting.timer.cancel()
        return batch

    async def _answer(self, batch: Sequence[_Waiting[Item, Answer]]) -> None:
        answers: Sequence[Answer | Exception]
        try:
            answers = await self._call([waiting.item for waiting in batch])
        except Exception as error:
            answers = [error] * len(batch)
        for waiting, answer in zip(batch, answers, strict=True):
            if waiting.answer.done():
                continue
            if isinstance(answer, Exception):
                waiting.answer.set_exception(answer)
            else:
                waiting.answer.set_result(answer)


class ThreadBatcher(Generic[Item]):
    """Calls `call` on a daemon thread with all items that have gathered since its last call.

    The thread starts with the first item, and again in a forked child, which inherits neither threads nor
    items. Errors of `call` are logged. `on_idle` runs on the thread after `idle_s` without an item and when
    the thread ends. Remaining items are handled at exit.
    """

    def __init__(
        self,
        name: str,
        call: Callable[[Sequence[Item]], None],
        *,
        idle_s: float | None = None,
        on_idle: Callable[[], None] = lambda: None,
    ) -> None:
        self._name = name
        self._call = call
        self._idle_s = idle_s
        self._on_idle = on_idle
        self._queue: SimpleQueue[Any] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._lock = threading.Lock()

    def put(self, item: Item) -> None:
        """Add an item. Does not block."""
        with self._lock:
            if self._thread is None or self._pid != os.getpid() or not self._thread.is_alive():
                self._start()
            self._queue.put(item)

    def flush(self, timeout_s: float = 3.0) -> None:
        """Handle the remaining items and end the thread; the next item starts another."""
        with self._lock:
            thread, self._thread = self._thread, None
            if thread is None or not thread.is_alive():
                return
            self._queue.put(_STOP)
        thread.join(timeout_s)

    def _start(self) -> None:
        if self._pid != os.getpid():
            self._pid = os.getpid()
            atexit.register(self.flush)
        self._queue = SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=(self._queue,), name=self._name, daemon=True)
        self._thread.start()

    def _run(self, queue: "SimpleQueue[Any]") -> None:
        stopping = False
        while not stopping:
            items = self._gather(queue)
            stopping = _STOP in items
            try:
                if batch := [item for item in items if item is not _STOP]:
                    self._call(batch)
            except Exception:
                log.exception("batch_failed", extra={"batcher": self._name, "items": len(batch)})
        self._on_idle()

    def _gather(self, queue: "SimpleQueue[Any]") -> list[Any]:
        try:
            items = [queue.get(timeout=self._idle_s)]
        except Empty:
            self._on_idle()
            items = [queue.get()]
        while not queue.empty():
            items.append(queue.get())
        return items


_STOP = object()
