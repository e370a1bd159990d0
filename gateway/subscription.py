"""One Redis connection that only subscribes, read as fast as Python can.

redis-py makes the connection (URL, TLS, password); from then on replies are parsed by hiredis in batches. Its
own `PubSub` takes messages one by one with a timer, a lock check and a retry each, which is most of the hub's
time at ten thousand events a second.
"""

import asyncio
from typing import Any

import hiredis
import redis.asyncio as aioredis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

_READ_BYTES = 1 << 20


class Subscription:
    """Subscribes and reads. Guarantee: at most once, in the order of each publisher."""

    def __init__(self, client: "aioredis.Redis") -> None:
        self._connection: Any = client.connection_pool.make_connection()
        self._replies = hiredis.Reader()

    async def subscribe(self, *channels: str) -> None:
        """Ask for channels; connects first if need be. Raises: `RedisError`, `OSError`."""
        await self._connection.connect()
        await self._connection.send_command("SUBSCRIBE", *channels)

    async def unsubscribe(self, *channels: str) -> None:
        await self._connection.send_command("UNSUBSCRIBE", *channels)

    async def ping(self) -> None:
        """Ask for a sign of life; the answer comes from `read` as a message of kind `pong`."""
        await self._connection.send_command("PING")

    async def read(self, timeout_s: float) -> list[list[Any]]:
        """Return all that has come, each a list of kind, channel and data; an empty list when nothing came.

        Raises: `RedisError`, `OSError` when the connection is lost.
        """
        try:
            async with asyncio.timeout(timeout_s):
                data = await self._connection._reader.read(_READ_BYTES)
        except TimeoutError:
            return []
        if not data:
            raise RedisConnectionError("the server closed the connection")
        return self._parsed(data)

    def _parsed(self, data: bytes) -> list[list[Any]]:
        self._replies.feed(data)
        found = []
        try:
            while (reply := self._replies.gets()) is not False:
                if isinstance(reply, hiredis.ReplyError):
                    raise ResponseError(str(reply))
                found.append(reply)
        except hiredis.ProtocolError as error:
            raise RedisConnectionError("not a reply") from error
        return found

    async def aclose(self) -> None:
        await self._connection.disconnect()
