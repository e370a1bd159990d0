"""The topics that one socket follows: those of its person, through the hub.

The stored list is the truth. A change anywhere is only a reason to look at it again, so that two changes
at the same time leave every socket with the same list.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

from channels.db import database_sync_to_async
from django.utils import timezone

from gateway.sessions import Receiver, hub
from notifications import live, topics


class TopicFeed:
    """Made when the person is known; `leave` ends it for good."""

    def __init__(self, person_id: int, receiver: Receiver) -> None:
        self._person_id = person_id
        self._receiver = receiver
        self._following: dict[str, AsyncExitStack] = {}
        self._lock = asyncio.Lock()
        self._left = False
        self.names: list[str] = []

    async def look(self) -> bool:
        """Follow what the person follows now. Return whether that has changed. Raises: database errors."""
        async with self._lock:
            return await self._follow(await database_sync_to_async(topics.followed)(self._person_id))

    async def subscribe(self, names: Sequence[str]) -> list[topics.Refused]:
        """Let the person follow these too. Return what was refused. Raises: database errors."""

        def change() -> topics.Change:
            return topics.subscribe(self._person_id, names, now=timezone.now())

        async with self._lock:
            done: topics.Change = await database_sync_to_async(change)()
            await self._follow(done.topics)
            return done.refused

    async def unsubscribe(self, names: Sequence[str]) -> list[topics.Refused]:
        """Let the person follow these no more. Nothing is refused. Raises: database errors."""
        async with self._lock:
            left = await database_sync_to_async(topics.unsubscribe)(self._person_id, names)
            await self._follow(left)
            return []

    async def leave(self) -> None:
        self._left = True
        async with self._lock:
            await self._follow([])

    async def _follow(self, names: list[str]) -> bool:
        wanted = set() if self._left else set(names)
        changed = names != self.names
        self.names = names
        await asyncio.gather(
            *(self._start(name) for name in wanted - self._following.keys()),
            *(self._stop(name) for name in self._following.keys() - wanted),
        )
        return changed

    async def _start(self, name: str) -> None:
        stay = self._following[name] = AsyncExitStack()
        await stay.enter_async_context(hub().listening(live.topic_channel(name), self._receiver))

    async def _stop(self, name: str) -> None:
        await self._following.pop(name).aclose()
