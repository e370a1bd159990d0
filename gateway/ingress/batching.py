"""Batches for the publishing threads. One domain call costs nearly the same for one event as for fifty."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from gateway.hub.threads import Threads
from runtime.batching import Batcher, Unavailable

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Take = Callable[[Sequence[Item]], Sequence[Answer | Exception]]


def batched(
    take: Take[Item, Answer], threads: Threads, *, weight: int, patience_s: float
) -> Batcher[Item, Answer]:
    """Return a batcher that calls `take` on `threads`, one call for each thread at a time.

    If `take` fails, it is called for each item alone, so that one item cannot spoil the others' answers; but
    `Unavailable` is the answer to all.
    """

    async def call(items: Sequence[Item]) -> Sequence[Answer | Exception]:
        return await threads.run(_answers, take, items)

    return Batcher(call, weight=weight, calls=threads.count, patience_s=patience_s)


def _answers(take: Take[Item, Answer], items: Sequence[Item]) -> Sequence[Answer | Exception]:
    try:
        return take(items)
    except Unavailable as error:
        return [error] * len(items)
    except Exception as error:
        if len(items) == 1:
            return [error]
        log.exception("taken_singly", extra={"items": len(items)})
        return [answer for item in items for answer in _answers(take, [item])]
