"""Many callers, few calls: what has come in meanwhile is taken together.

One call of the domain costs nearly the same for one event as for fifty. While all calls are busy, items
gather, and the next free one takes them all; without a crowd each item has a call to itself, at once.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gateway.hub.threads import Threads

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Unavailable(Exception):
    """What is needed to answer is away or has no time: nothing of the item was taken."""


@dataclass(eq=False, slots=True)
class _Waiting(Generic[Item, Answer]):
    item: Item
    weight: int
    answer: "asyncio.Future[Answer]"
    patience: asyncio.TimerHandle | None = field(default=None)

    def give_up(self) -> None:
        if not self.answer.done():
            self.answer.set_exception(Unavailable())


class BatchedCalls(Generic[Item, Answer]):
    """Hands items to `take`, in their order, with one call for each thread at most. One per event loop.

    `take` gets items of `weight` in all, or a single heavier one, and returns for each an answer, or what
    is raised to its caller. If it fails, it is called for each item alone, so that one cannot spoil the
    others' answers; but `Unavailable` is everybody's answer.
    """

    def __init__(
        self,
        take: Callable[[Sequence[Item]], Sequence[Answer | Exception]],
        threads: Threads,
        *,
        weight: int,
        patience_s: float,
    ) -> None:
        self._take = take
        self._threads = threads
        self._weight = weight
        self._patience_s = patience_s
        self._waiting: deque[_Waiting[Item, Answer]] = deque()
        self._free = threads.count
        self._calls: set[asyncio.Task[None]] = set()

    async def answer(self, item: Item, *, weight: int = 1) -> Answer:
        """Return what `take` answers. Raises: what it raises; `Unavailable` when no call is free in time."""
        loop = asyncio.get_running_loop()
        waiting: _Waiting[Item, Answer] = _Waiting(item, weight, loop.create_future())
        waiting.patience = loop.call_later(self._patience_s, waiting.give_up)
        self._waiting.append(waiting)
        self._start()
        return await waiting.answer

    def _start(self) -> None:
        while self._free and (batch := self._next()):
            self._free -= 1
            call = asyncio.get_running_loop().create_task(self._call(batch))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    def _next(self) -> list[_Waiting[Item, Answer]]:
        """Return the next call's items, without those whose caller has gone or whose patience is over."""
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
            if waiting.patience is not None:
                waiting.patience.cancel()
        return batch

    async def _call(self, batch: Sequence[_Waiting[Item, Answer]]) -> None:
        try:
            answers = await self._threads.run(self._answers, [waiting.item for waiting in batch])
        finally:
            self._free += 1
            self._start()
        for waiting, answer in zip(batch, answers, strict=True):
            if waiting.answer.done():
                continue
            if isinstance(answer, Exception):
                waiting.answer.set_exception(answer)
            else:
                waiting.answer.set_result(answer)

    def _answers(self, items: Sequence[Item]) -> list[Answer | Exception]:
        """Return each item's answer, or what is to be raised to its caller. On a thread."""
        try:
            return list(self._take(items))
        except Unavailable as error:
            return [error] * len(items)
        except Exception as error:
            if len(items) == 1:
                return [error]
            log.exception("taken_singly", extra={"items": len(items)})
            return [answer for item in items for answer in self._answers([item])]
