"""The session hub: which sockets a person has in this process, and the one subscription that feeds them.

The hub subscribes to `user.<id>` while that person has a socket here; the subscription is their presence for
all processes. Frames arrive encoded and are written straight to the sockets, without the queues of a channel
layer. Channels and Daphne own the connection itself.
"""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from typing import Any

import redis.asyncio as aioredis
from django.conf import settings
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.hub.subscription import Subscription
from gateway.server import wire
from notifications.live import pubsub
from runtime.loops import per_loop

log = logging.getLogger(__name__)

Receiver = Callable[[bytes], None]

_HEARTBEAT_S = 10.0
_RECONNECT_AT_ONCE_S = 0.02
_RECONNECT_S = 0.5
_SUBSCRIBE_TIMEOUT_S = 3.0
_IDLE_CHANNEL = "tocsin.gateway"  # keeps the connection subscribed while there are no sockets


class Hub:
    """One per event loop. Guarantee: at most once; missed events are read from Postgres by `seq`."""

    def __init__(self, url: str) -> None:
        self._redis = aioredis.Redis.from_url(
            url,
            socket_timeout=None,
            socket_connect_timeout=3,
            health_check_interval=0,
            # Only the reader reconnects. The client's own retries would do so in the middle of its reads,
            # while all others wait for the lock.
            retry=Retry(NoBackoff(), 0, supported_errors=()),
        )
        self._pubsub = Subscription(self._redis, self._take)
        self._receivers: dict[str, set[Receiver]] = defaultdict(set)
        self._confirmed: dict[str, asyncio.Event] = {}
        self._reader: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._connected = False
        self._answered = False  # since the last ping
        self.on_return: Callable[[], None] | None = None  # called after a reconnect: wakes may have been lost

    @contextlib.asynccontextmanager
    async def listening(self, channel: str, receiver: Receiver) -> AsyncIterator[None]:
        """Call `receiver` with every message of `channel` while the block runs.

        On entry the subscription is active, or Redis is away and it becomes active once Redis is back.
        """
        try:
            await self._add(channel, receiver)
            yield
        finally:
            await self._remove(channel, receiver)

    async def _add(self, channel: str, receiver: Receiver) -> None:
        self._ensure_reader()
        first = not self._receivers[channel]
        self._receivers[channel].add(receiver)
        confirmed = self._confirmed.setdefault(channel, asyncio.Event())
        if first:
            with contextlib.suppress(RedisError, OSError):  # the reader subscribes again after a reconnect
                async with self._lock:
                    if self._connected:
                        await self._pubsub.subscribe(channel)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(confirmed.wait(), _SUBSCRIBE_TIMEOUT_S)

    async def _remove(self, channel: str, receiver: Receiver) -> None:
        self._receivers[channel].discard(receiver)
        if self._receivers[channel]:
            return
        del self._receivers[channel]
        self._confirmed.pop(channel, None)
        with contextlib.suppress(RedisError, OSError):
            async with self._lock:
                if self._connected and channel not in self._receivers:  # a receiver may have come meanwhile
                    await self._pubsub.unsubscribe(channel)

    def _ensure_reader(self) -> None:
        if self._reader is None or self._reader.done():
            self._reader = asyncio.get_running_loop().create_task(self._read_for_ever())

    async def _read_for_ever(self) -> None:
        while True:
            try:
                await self._read()
            except (RedisError, OSError) as error:
                pause_s = _RECONNECT_AT_ONCE_S if self._connected else _RECONNECT_S
                self._connected = False
                log.warning("hub_disconnected", extra={"error": type(error).__name__})
                for confirmed in self._confirmed.values():
                    confirmed.clear()
                await asyncio.sleep(pause_s)

    async def _read(self) -> None:
        """Listen until the connection breaks. Unanswered pings reveal a silent peer."""
        async with self._lock:
            await self._pubsub.aclose()
            self._pubsub = Subscription(self._redis, self._take)
            await self._pubsub.subscribe(_IDLE_CHANNEL, *self._receivers)
            self._connected = True
        if self.on_return is not None:
            self.on_return()
        while True:
            await self._pubsub.until_silent(_HEARTBEAT_S)
            self._answered = False
            await self._pubsub.ping()
            await self._pubsub.until_silent(_HEARTBEAT_S)
            if not self._answered:
                raise RedisError("no answer to a ping")

    def _take(self, messages: list[list[Any]]) -> None:
        self._answered = True
        with wire.coalesced_writes():
            for message in messages:
                kind = message[0]
                if kind == b"message":
                    self._hand_over(message[1].decode(), message[2])
                elif kind == b"subscribe" and (confirmed := self._confirmed.get(message[1].decode())):
                    confirmed.set()

    def _hand_over(self, channel: str, data: bytes) -> None:
        for receiver in tuple(self._receivers.get(channel, ())):
            try:
                receiver(data)
            except Exception:  # one socket's error must not stop the reader of all
                log.exception("receiver_failed")

    def socket_count(self, person_id: int) -> int:
        return len(self._receivers.get(pubsub.user_channel(person_id), ()))


@per_loop
def hub() -> Hub:
    """Return the hub of the running event loop."""
    return Hub(settings.REDIS_URL)
