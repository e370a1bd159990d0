"""One Redis connection that only subscribes, and hands messages over as soon as they are read.

redis-py makes the connection (URL, TLS, password); then we take over its transport, and hiredis parses all
bytes of a read at once. Between the kernel's readiness event and the last socket's write there is no task, no
timer and no further iteration of the event loop: each of them costs more than the message itself.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import hiredis
import redis.asyncio as aioredis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

_READ_BYTES = 1 << 20  # one buffer for all reads: allocating it costs more than parsing
Messages = list[list[Any]]


class Subscription:
    """Subscribes and listens. Guarantee: at most once, in the order of each publisher.

    `take` is called on the event loop with all messages of a read, each a list of kind, channel and data.
    """

    def __init__(self, client: "aioredis.Redis", take: Callable[[Messages], None]) -> None:
        self._connection: Any = client.connection_pool.make_connection()
        self._take = take
        self._feed: _Feed | None = None

    async def subscribe(self, *channels: str) -> None:
        """Subscribe to channels, and connect first if necessary. Raises: `RedisError`, `OSError`."""
        if self._feed is None:
            await self._connection.connect()
            transport = self._connection._writer.transport
            # From here on the connection carries messages only, and redis-py no longer reads it.
            self._feed = _Feed(self._take, transport.get_protocol())
            transport.set_protocol(self._feed)
        await self._connection.send_command("SUBSCRIBE", *channels)

    async def unsubscribe(self, *channels: str) -> None:
        await self._connection.send_command("UNSUBSCRIBE", *channels)

    async def ping(self) -> None:
        """Send a ping; the answer is a message of kind `pong`."""
        await self._connection.send_command("PING")

    async def until_silent(self, timeout_s: float) -> None:
        """Return once nothing has arrived for `timeout_s`. Call it after `subscribe`.

        Raises: `RedisError`, `OSError` when the connection is lost, and the errors of `take`.
        """
        assert self._feed is not None
        await self._feed.until_silent(timeout_s)

    async def aclose(self) -> None:
        await self._connection.disconnect()


class _Feed(asyncio.BufferedProtocol):
    """Parses what the transport reads. Events of writing and of the end also go to redis-py's protocol."""

    def __init__(self, take: Callable[[Messages], None], former: asyncio.Protocol) -> None:
        self._take = take
        self._former = former
        self._replies = hiredis.Reader()
        self._buffer = bytearray(_READ_BYTES)
        loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = loop.create_future()
        self._heard_at = loop.time()

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        try:
            if messages := self._parsed(nbytes):
                self._heard_at = asyncio.get_running_loop().time()
                self._take(messages)
        except Exception as error:
            self._end(error)

    def eof_received(self) -> None:
        self._end(RedisConnectionError("the server closed the connection"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or RedisConnectionError("the connection was closed"))
        self._former.connection_lost(exc)

    def pause_writing(self) -> None:
        self._former.pause_writing()

    def resume_writing(self) -> None:
        self._former.resume_writing()

    def _end(self, error: Exception) -> None:
        if not self._ended.done():
            self._ended.set_exception(error)
            self._ended.exception()  # marks it as retrieved: there may be no waiter

    def _parsed(self, size: int) -> Messages:
        self._replies.feed(self._buffer, 0, size)
        found: Messages = []
        try:
            while (reply := self._replies.gets()) is not False:
                if isinstance(reply, hiredis.ReplyError):
                    raise ResponseError(str(reply))
                found.append(reply)
        except hiredis.ProtocolError as error:
            raise RedisConnectionError("not a reply") from error
        return found

    async def until_silent(self, timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        silent_at = loop.time() + timeout_s
        while (left_s := silent_at - loop.time()) > 0:
            done, _ = await asyncio.wait({self._ended}, timeout=left_s)
            if done:
                self._ended.result()
            silent_at = max(silent_at, self._heard_at + timeout_s)
