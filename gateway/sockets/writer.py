"""The output of one socket: writes frames in the order in which they were passed in."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from gateway.server.wire import FastWriter

log = logging.getLogger(__name__)


class AsgiWriter:
    """Lets synchronous code write to an ASGI connection, whose `send` has to be awaited.

    `backlog` counts the bytes that the server has not accepted yet: it grows while the client does not
    read. With a `wire` nothing waits here: the server's flow control pauses the feed.
    """

    __slots__ = ("_frames", "_send", "_task", "backlog", "on_empty", "wire")

    def __init__(self, send: Callable[[str], Awaitable[None]]) -> None:
        self._send = send
        self.on_empty: Callable[[], None] | None = None
        self.wire: FastWriter | None = None
        self._frames: deque[bytes] = deque()
        self._task: asyncio.Task[None] | None = None
        self.backlog = 0

    def write(self, frame: bytes) -> None:
        if self.wire is not None:
            self.wire.write(frame)
            return
        self._frames.append(frame)
        self.backlog += len(frame)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._write())

    async def drained(self) -> None:
        """Return when the server has accepted everything written so far."""
        if self.wire is not None:
            self.wire.flush()
        if self._task is not None:
            await asyncio.wait({self._task})

    def close(self) -> None:
        """Discard frames that are not written yet; the socket is closed."""
        self._frames.clear()
        self.backlog = 0
        if self._task is not None:
            self._task.cancel()

    async def _write(self) -> None:
        try:
            while self._frames:
                frame = self._frames.popleft()
                await self._send(frame.decode())
                self.backlog -= len(frame)
        except Exception as error:  # some servers raise when the connection is gone; `disconnect` follows
            log.warning("write_failed", extra={"error": type(error).__name__})
            self._frames.clear()
        finally:
            self._task = None
        if self.on_empty is not None:
            self.on_empty()
