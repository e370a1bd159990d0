"""The topics that one socket follows: those of its person, through the hub.

The stored list is the truth. A change anywhere is only a reason to look at it again, so that two changes
at the same time leave every socket with the same list.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from django.utils import timezone

from gateway.hub.hub import Receiver, hub
from gateway.hub.threads import in_thread
from notifications.live import pubsub
from notifications.topics import subscriptions
from runtime.postgres.away import DATABASE_AWAY

log = logging.getLogger(__name__)


class TopicFeed:
    """Made when the person is known; `leave` ends it for good.

    `changed` is called when a look that somebody else's change asked for has found another list.
    """

    def __init__(self, person_id: int, receiver: Receiver, *, changed: Callable[[], Awaitable[None]]) -> None:
        self._person_id = person_id
        self._receiver = receiver
        self._changed = changed
        self._following: dict[str, AsyncExitStack] = {}
        self._lock = asyncio.Lock()
        self._looking: asyncio.Task[None] | None = None
        self._left = False
        self.names: list[str] = []

    async def look(self) -> bool:
        """Follow what the person follows now. Return whether that has changed. Raises: database errors."""
        async with self._lock:
            return await self._follow(await in_thread(subscriptions.followed, self._person_id))

    def look_soon(self) -> None:
        """Look again, behind a look that runs already: it may have begun before the change."""
        if not self._left:
            self._looking = asyncio.get_running_loop().create_task(self._look_after(self._looking))

    async def _look_after(self, before: "asyncio.Task[None] | None") -> None:
        if before is not None:
            await asyncio.wait({before})
        try:
            if not self._left and await self.look():
                await self._changed()
        except DATABASE_AWAY:
            log.exception("topics_failed")

    async def subscribe(self, names: Sequence[str]) -> list[subscriptions.Refused]:
        """Let the person follow these too. Return what was refused. Raises: database errors."""
        async with self._lock:
            done = await in_thread(subscriptions.subscribe, self._person_id, names, now=timezone.now())
            await self._follow(done.topics)
            return done.refused

    async def unsubscribe(self, names: Sequence[str]) -> list[subscriptions.Refused]:
        """Let the person follow these no more. Nothing is refused. Raises: database errors."""
        async with self._lock:
            await self._follow(await in_thread(subscriptions.unsubscribe, self._person_id, names))
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
        await stay.enter_async_context(hub().listening(pubsub.topic_channel(name), self._receiver))

    async def _stop(self, name: str) -> None:
        await self._following.pop(name).aclose()
