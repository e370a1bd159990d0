"""Long polls: wait until an event has ended, or the time is over."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from gateway.sessions import hub
from notifications import live
from notifications.events import Ack

_LOOK_AGAIN_S = 1.0


async def until_final(read: Callable[[], Awaitable[Ack]], pk: int | str, wait_s: float) -> Ack:
    """Return what `read` returns once it is final, or after `wait_s` seconds as it stands.

    The hint over pub/sub may be lost, so the database is looked at every second too.
    """
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + wait_s
    ended = asyncio.Event()
    async with hub().listening(live.final_channel(pk), lambda _: ended.set()):
        while True:
            ended.clear()
            ack = await read()
            left_s = give_up_at - loop.time()
            if ack.final or left_s <= 0:
                return ack
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), min(left_s, _LOOK_AGAIN_S))
