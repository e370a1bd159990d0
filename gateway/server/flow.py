"""Flow control of one connection, both ways: what may be written, and what is still to be read.

The server puts a `FlowControl` into the ASGI scope of each WebSocket. An ASGI server without one (uvicorn)
waits in `send` while its buffer is full, and limits its queue itself.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

EXTENSION = "tocsin.flow"
QUEUED_FRAMES = 32  # not handled yet: above this the socket is not read
QUEUED_BYTES = 128 * 1024

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Application = Callable[[dict[str, Any], Receive, Any], Awaitable[None]]


class Follower(Protocol):
    """Who writes. After `pause` it writes no more events until `resume`."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...


class Pausable(Protocol):
    """The side of a Twisted transport that produces what the client sends."""

    def pauseProducing(self) -> None: ...  # noqa: N802

    def resumeProducing(self) -> None: ...  # noqa: N802


def of(scope: dict[str, Any]) -> "FlowControl | None":
    """Return the flow control of this ASGI connection, if its server offers one."""
    found: FlowControl | None = scope.get("extensions", {}).get(EXTENSION)
    return found


class FlowControl:
    """A Twisted push producer: the transport pauses it above its high-water mark, resumes it when empty."""

    __slots__ = ("_deaf", "_follower", "_reading", "_sizes", "_tell_flood", "full_since", "gone")

    def __init__(self, reading: Pausable) -> None:
        self._reading = reading
        self._follower: Follower | None = None
        self._sizes: list[int] = []  # of the frames that wait for the application
        self._deaf = False
        self.full_since = 0.0  # monotonic; 0: the send buffer takes more
        self.gone = False  # the connection is; the application may not have heard of it yet
        self._tell_flood: Callable[[], None] | None = None

    # --- towards the client -----------------------------------------------------------------------------
    @property
    def paused(self) -> bool:
        """Whether the client has not taken what was written."""
        return self.full_since > 0

    def follow(self, follower: Follower) -> None:
        """Tell `follower` from now on, and at once if the buffer is full."""
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
        """Whether the client hears or says nothing any more: what is begun for it is in vain."""
        return self.gone or self._deaf

    def on_flood(self, tell: Callable[[], None]) -> None:
        """Call `tell` when the client floods, and at once if it has."""
        self._tell_flood = tell
        if self._deaf:
            tell()

    @property
    def queued(self) -> int:
        """Return how many frames wait for the application."""
        return len(self._sizes)

    @property
    def behind(self) -> bool:
        """Whether so much waits for the application that the socket is not read."""
        return len(self._sizes) > QUEUED_FRAMES or sum(self._sizes) > QUEUED_BYTES

    def queue(self, size: int) -> None:
        """Note a frame of `size` bytes that is handed to the application."""
        self._sizes.append(size)
        if self.behind:
            self._reading.pauseProducing()

    def taken(self, message: Message) -> bool:
        """Note that the application takes this message. Return False if it shall not see it."""
        if message["type"] != "websocket.receive":
            return True
        was_behind = self.behind
        self._sizes.pop(0)
        if was_behind and not self.behind and not self._deaf:
            self._reading.resumeProducing()
        return not self._deaf

    def stop_listening(self) -> None:
        """Read no more, and let the application see nothing of what waits: the client floods."""
        self._deaf = True
        self._reading.pauseProducing()
        if self._tell_flood is not None:
            self._tell_flood()


def controlled(application: Application) -> Application:
    """Return `application` with its WebSockets' queues under flow control."""

    async def run(scope: dict[str, Any], receive: Receive, send: Any) -> None:
        flow = of(scope)
        if flow is None:
            await application(scope, receive, send)
            return

        async def take() -> Message:
            while not flow.taken(message := await receive()):
                pass
            return message

        await application(scope, take, send)

    return run
