"""Flow control of one connection, in both directions.

The server puts a `FlowControl` into the ASGI scope of each WebSocket. An ASGI server without one (uvicorn)
waits in `send` while its buffer is full, and limits its queue itself.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

EXTENSION = "tocsin.flow"
QUEUED_FRAMES = 32  # waiting for the application: above this the socket is not read
QUEUED_BYTES = 128 * 1024

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Application = Callable[[dict[str, Any], Receive, Any], Awaitable[None]]


class Follower(Protocol):
    """The writer. Between `pause` and `resume` it writes no events."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...


class Pausable(Protocol):
    """The reading side of a Twisted transport."""

    def pauseProducing(self) -> None: ...  # noqa: N802

    def resumeProducing(self) -> None: ...  # noqa: N802


def of(scope: dict[str, Any]) -> "FlowControl | None":
    """Return the flow control of this ASGI connection, if its server offers one."""
    found: FlowControl | None = scope.get("extensions", {}).get(EXTENSION)
    return found


class FlowControl:
    """A Twisted push producer: the transport pauses it above its high-water mark, resumes it when empty."""

    __slots__ = ("_deaf", "_flood_callback", "_follower", "_reading", "_sizes", "full_since", "gone")

    def __init__(self, reading: Pausable) -> None:
        self._reading = reading
        self._follower: Follower | None = None
        self._sizes: list[int] = []  # of frames that wait for the application
        self._deaf = False
        self.full_since = 0.0  # monotonic seconds; 0: the send buffer is not full
        self.gone = False  # the connection has ended; the application may not know yet
        self._flood_callback: Callable[[], None] | None = None

    # --- towards the client -----------------------------------------------------------------------------
    @property
    def paused(self) -> bool:
        """Whether the send buffer is full, because the client does not read."""
        return self.full_since > 0

    def follow(self, follower: Follower) -> None:
        """Pause and resume `follower` from now on; pause it at once if the buffer is full."""
        self._follower = follower
        if self.paused:
            follower.pause()

    def pauseProducing(self) -> None:  # noqa: N802  Twisted's name
        if not self.paused:
            self.full_since = time.monotonic()
            if self._follower is not None:
                self._follower.pause()

    def resumeProducing(self) -> None:  # noqa: N802
        self.full_since = 0.0
        if self._follower is not None:
            self._follower.resume()

    def stopProducing(self) -> None:  # noqa: N802
        self._follower = None

    # --- from the client --------------------------------------------------------------------------------
    @property
    def useless(self) -> bool:
        """Whether the client is gone or is ignored: further work for it is pointless."""
        return self.gone or self._deaf

    def on_flood(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the client floods, and at once if it has."""
        self._flood_callback = callback
        if self._deaf:
            callback()

    @property
    def queued(self) -> int:
        """Return how many frames wait for the application."""
        return len(self._sizes)

    @property
    def behind(self) -> bool:
        """Whether too many frames wait for the application, so that the socket is not read."""
        return len(self._sizes) > QUEUED_FRAMES or sum(self._sizes) > QUEUED_BYTES

    def queue(self, size: int) -> None:
        """Count a frame of `size` bytes that is queued for the application."""
        self._sizes.append(size)
        if self.behind:
            self._reading.pauseProducing()

    def dequeue(self, message: Message) -> bool:
        """Count a message that leaves the queue. Return False if it must not reach the application."""
        if message["type"] != "websocket.receive":
            return True
        was_behind = self.behind
        self._sizes.pop(0)
        if was_behind and not self.behind and not self._deaf:
            self._reading.resumeProducing()
        return not self._deaf

    def stop_listening(self) -> None:
        """Stop reading and drop the queued frames, because the client floods."""
        self._deaf = True
        self._reading.pauseProducing()
        if self._flood_callback is not None:
            self._flood_callback()


def controlled(application: Application) -> Application:
    """Return `application` with flow control of its WebSockets' queues."""

    async def run(scope: dict[str, Any], receive: Receive, send: Any) -> None:
        flow = of(scope)
        if flow is None:
            await application(scope, receive, send)
            return

        async def take() -> Message:
            while not flow.dequeue(message := await receive()):
                pass
            return message

        await application(scope, take, send)

    return run
