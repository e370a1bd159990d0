"""Which gateway processes live. Each subscribes to a channel of its own, so its subscription is its presence.

Entries in Redis name the process that made them. When it was killed they stand there for up to a minute;
its subscription ended with it, so they can be told at once.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterable
from secrets import token_hex

from gateway.hub.hub import hub
from runtime.loops import per_loop
from runtime.redis.link import redis_link


class ProcessRegistry:
    """This process, as seen by the others. One per event loop."""

    def __init__(self) -> None:
        self.id = token_hex(6)  # never used again, unlike a process id
        self.name = f"{socket.gethostname()[:40]}:{os.getpid()}"
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def listen(self, channel: str, receiver: Callable[[bytes], None]) -> None:
        """Hear a channel for as long as this process lives. Also makes it known as living."""
        for name, call in ((channel_of(self.id), _nothing), (channel, receiver)):
            if name not in self._tasks or self._tasks[name].done():
                self._tasks[name] = asyncio.get_running_loop().create_task(_listen(name, call))

    def be_known(self) -> None:
        self.listen(channel_of(self.id), _nothing)


def channel_of(gateway_id: str) -> str:
    return f"gateway.{gateway_id}"


def _nothing(_: bytes) -> None:
    pass


async def _listen(channel: str, receiver: Callable[[bytes], None]) -> None:
    async with hub().listening(channel, receiver):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


async def gone(gateway_ids: Iterable[str]) -> frozenset[str]:
    """Return which of these processes live no longer; none while Redis cannot say."""
    ids = sorted(set(gateway_ids))
    if not ids:
        return frozenset()
    answers = await redis_link().run(lambda pipe: pipe.pubsub_numsub(*map(channel_of, ids)))
    if answers is None:
        return frozenset()
    return frozenset(one for one, (_, count) in zip(ids, answers[0], strict=True) if not count)


@per_loop
def this_process() -> ProcessRegistry:
    """Return that of the running event loop."""
    return ProcessRegistry()
