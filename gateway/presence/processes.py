"""Which gateway processes are alive: each subscribes to its own channel, and that is its presence.

Entries in Redis name the process that wrote them. Those of a killed process remain for up to a minute, but
its subscription ended with it, so they can be recognised at once.
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
    """This process as the others see it. One per event loop."""

    def __init__(self) -> None:
        self.id = token_hex(6)  # never reused, unlike a process id
        self.name = f"{socket.gethostname()[:40]}:{os.getpid()}"
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def listen(self, channel: str, receiver: Callable[[bytes], None]) -> None:
        """Listen to a channel for as long as this process lives. Also announces the process as alive."""
        for name, call in ((channel_of(self.id), _nothing), (channel, receiver)):
            if name not in self._tasks or self._tasks[name].done():
                self._tasks[name] = asyncio.get_running_loop().create_task(_listen(name, call))

    def announce(self) -> None:
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
    """Return which of these processes are dead; none while Redis is away."""
    ids = sorted(set(gateway_ids))
    if not ids:
        return frozenset()
    answers = await redis_link().run(lambda pipe: pipe.pubsub_numsub(*map(channel_of, ids)))
    if answers is None:
        return frozenset()
    return frozenset(one for one, (_, count) in zip(ids, answers[0], strict=True) if not count)


@per_loop
def this_process() -> ProcessRegistry:
    """Return the registry of the running event loop."""
    return ProcessRegistry()
