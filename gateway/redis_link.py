"""The event loop's own Redis connections, for what sockets may do without: nobody waits long for it."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

import redis.asyncio as aioredis
from django.conf import settings
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

_CONNECTIONS = 4
_TIMEOUT_S = 1.0
_AWAY_S = 3.0  # after a failure nobody tries for so long


class RedisLink:
    """One per event loop."""

    def __init__(self, url: str) -> None:
        pool = aioredis.BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=_TIMEOUT_S,
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            retry=Retry(NoBackoff(), 1),
        )
        self._redis = aioredis.Redis(connection_pool=pool)
        self._away_until = 0.0

    async def run(self, fill: Callable[[Any], object]) -> list[Any] | None:
        """Run the commands that `fill` puts into a pipeline, as one transaction.

        Return their answers, or None while Redis is away.
        """
        loop = asyncio.get_running_loop()
        if loop.time() < self._away_until:
            return None
        try:
            async with self._redis.pipeline(transaction=True) as pipe:
                fill(pipe)
                answers: list[Any] = await pipe.execute()
                return answers
        except (RedisError, OSError, TimeoutError) as error:
            self._away_until = loop.time() + _AWAY_S
            log.warning("redis_link_down", extra={"error": type(error).__name__})
            return None


_links: WeakKeyDictionary[asyncio.AbstractEventLoop, RedisLink] = WeakKeyDictionary()


def redis_link() -> RedisLink:
    """Return the one of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _links:
        _links[loop] = RedisLink(settings.REDIS_URL)
    return _links[loop]
