"""The topics that one socket follows: its person's subscriptions, received through the hub.

The stored list decides. A change notice only causes it to be read again, so that concurrent changes leave
every socket with the same list.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from gateway.hub.hub import Receiver, hub
from gateway.hub.threads import in_thread
from notifications.live import pubsub
from notifications.rendering.locales import language_of
from notifications.topics import subscriptions
from runtime.postgres import clock
from runtime.postgres.away import DATABASE_AWAY
from users.models import User

log = logging.getLogger(__name__)


class TopicFeed:
    """Created after the sign-in; `close` ends it for good.

    `on_change` is called when `refresh_soon` has found another list.
    """

    def __init__(self, person: User, receiver: Receiver, *, on_change: Callable[[], Awaitable[None]]) -> None:
        self._person_id = person.pk
        self._language = language_of(person.locale)
        self._receiver = receiver
        self._on_change = on_change
        self._following: dict[str, AsyncExitStack] = {}
        self._lock = asyncio.Lock()
        self._refreshing: asyncio.Task[None] | None = None
        self._closed = False
        self.names: list[str] = []

    async def refresh(self) -> bool:
        """Read the person's topics and follow them. Return whether they changed. Raises: database errors."""
        async with self._lock:
            return await self._set_topics(await in_thread(subscriptions.followed, self._person_id))

    def refresh_soon(self) -> None:
        """Refresh after a running refresh has ended: that one may have begun before the change."""
        if not self._closed:
            self._refreshing = asyncio.get_running_loop().create_task(self._refresh_after(self._refreshing))

    async def _refresh_after(self, before: "asyncio.Task[None] | None") -> None:
        if before is not None:
            await asyncio.wait({before})
        try:
            if not self._closed and await self.refresh():
                await self._on_change()
        except DATABASE_AWAY:
            log.exception("topics_failed")

    async def subscribe(self, names: Sequence[str]) -> list[subscriptions.Refused]:
        """Subscribe the person to these topics. Return what was refused. Raises: database errors."""
        async with self._lock:
            done = await in_thread(subscriptions.subscribe, self._person_id, names, now=clock.now())
            await self._set_topics(done.topics)
            return done.refused

    async def unsubscribe(self, names: Sequence[str]) -> list[subscriptions.Refused]:
        """Unsubscribe the person. Nothing is refused. Raises: database errors."""
        async with self._lock:
            await self._set_topics(await in_thread(subscriptions.unsubscribe, self._person_id, names))
            return []

    async def close(self) -> None:
        self._closed = True
        async with self._lock:
            await self._set_topics([])

    async def _set_topics(self, names: list[str]) -> bool:
        wanted = set() if self._closed else set(names)
        changed = names != self.names
        self.names = names
        await asyncio.gather(
            *(self._listen(name) for name in wanted - self._following.keys()),
            *(self._unlisten(name) for name in self._following.keys() - wanted),
        )
        return changed

    async def _listen(self, name: str) -> None:
        stay = self._following[name] = AsyncExitStack()
        await stay.enter_async_context(
            hub().listening(pubsub.topic_channel(name, self._language), self._receiver)
        )

    async def _unlisten(self, name: str) -> None:
        await self._following.pop(name).aclose()
