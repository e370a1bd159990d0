"""The event loop's own Redis connection, for what sockets may do without: nobody waits long for it.

What is asked within one round trip travels together with the next one, so a crowd of sockets costs few
round trips and one connection.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import redis.asyncio as aioredis
from django.conf import settings
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from runtime.loops import per_loop

log = logging.getLogger(__name__)

_TIMEOUT_S = 2.0
_AWAY_S = 3.0  # after a failure nobody tries for so long
_AT_ONCE = 200

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
        self._waiting: list[tuple[Fill, asyncio.Future[Answers]]] = []
        self._task: asyncio.Task[None] | None = None
        self._away_until = 0.0

    async def run(self, fill: Fill) -> Answers:
        """Run the commands that `fill` puts into a pipeline, in their order and one after the other.

        Return their answers, or None while Redis is away.
        """
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Answers] = loop.create_future()
        self._waiting.append((fill, answered))
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._send())
        return await answered

    async def _send(self) -> None:
        while self._waiting:
            taken, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
            try:
                answers = await self._travel([fill for fill, _ in taken])
            except Exception:  # whoever waits must not wait for ever
                log.exception("redis_link_failed")
                answers = [None] * len(taken)
            for (_, answered), answer in zip(taken, answers, strict=True):
                if not answered.done():  # who asked may have been cancelled
                    answered.set_result(answer)

    async def _travel(self, fills: list[Fill]) -> list[Answers]:
        loop = asyncio.get_running_loop()
        if loop.time() < self._away_until:
            return [None] * len(fills)
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
            return [None] * len(fills)
        return [answers[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]


@per_loop
def redis_link() -> RedisLink:
    """Return the one of the running event loop."""
    return RedisLink(settings.REDIS_URL)
