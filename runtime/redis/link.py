"""The event loop's own Redis connection, for data that sockets can do without: timeouts are short.

Commands that are issued during one round trip share the next one, so a thousand sockets cost few round trips
and one connection.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import redis.asyncio as aioredis
from django.conf import settings
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from runtime.batching import Batcher
from runtime.loops import per_loop

log = logging.getLogger(__name__)

_TIMEOUT_S = 2.0
_AWAY_S = 3.0  # pause after a failure
_BATCH = 200

Fill = Callable[[Any], object]
Answers = list[Any] | None


class RedisLink:
    """One per event loop."""

    def __init__(self, url: str) -> None:
        self._redis = aioredis.Redis.from_url(
            url,
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            retry=Retry(NoBackoff(), 1),
        )
        self._batcher = Batcher[Fill, Answers](self._execute, weight=_BATCH, gather_s=0)
        self._away_until = 0.0

    def run(self, fill: Fill) -> "asyncio.Future[Answers]":
        """Run the commands that `fill` puts into a pipeline, in order, without other commands between them.

        The result is their answers, or None while Redis is away.
        """
        return self._batcher.put(fill)

    async def _execute(self, fills: Sequence[Fill]) -> list[Answers]:
        nothing: list[Answers] = [None] * len(fills)
        loop = asyncio.get_running_loop()
        if loop.time() < self._away_until:
            return nothing
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                ends = []
                for fill in fills:
                    fill(pipe)
                    ends.append(len(pipe))
                answers: list[Any] = await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            self._away_until = loop.time() + _AWAY_S
            log.warning("redis_link_down", extra={"error": type(error).__name__})
            return nothing
        except Exception:
            log.exception("redis_link_failed")
            return nothing
        return [answers[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]


@per_loop
def redis_link() -> RedisLink:
    """Return the link of the running event loop."""
    return RedisLink(settings.REDIS_URL)
