"""A socket for each person, opened again whenever it closes."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable

import aiohttp

Connect = Callable[[aiohttp.ClientSession, str], Awaitable[None]]


async def keep_connected(
    persons: Iterable[str], connect: Connect, *, until: Awaitable[object], back_after_s: Callable[[], float]
) -> None:
    """Let each person `connect`, which lasts as long as a connection does, again and again `until`."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        staying = [asyncio.create_task(_stay(session, person, connect, back_after_s)) for person in persons]
        await until
        for task in staying:
            task.cancel()
        await asyncio.gather(*staying, return_exceptions=True)


async def _stay(
    session: aiohttp.ClientSession, person: str, connect: Connect, back_after_s: Callable[[], float]
) -> None:
    while True:
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            await connect(session, person)
        await asyncio.sleep(back_after_s())
