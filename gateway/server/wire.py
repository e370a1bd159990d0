"""Fast path for pre-encoded frames: one write per socket and loop iteration.

A frame from the hub needs no dispatch and no library: its WebSocket header is four bytes, the same for every
socket. All frames for a socket within one iteration of the event loop go out in one system call.

The server puts a `FastWriter` into the ASGI scope of each connection; with a server that has none (uvicorn),
frames are written by `send`. `Wired` keeps them in order with what `send` writes.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

EXTENSION = "tocsin.wire"


def of(scope: dict[str, Any]) -> "FastWriter | None":
    """Return the `FastWriter` of this ASGI connection, if its server offers one."""
    wire: FastWriter | None = scope.get("extensions", {}).get(EXTENSION)
    return wire


def framed(text: bytes) -> bytes:
    """Return the unmasked WebSocket frame (RFC 6455, 5.2) of a text message."""
    size = len(text)
    if size < 126:
        return b"\x81%c%b" % (size, text)
    if size < 65_536:
        return b"\x81\x7e%b%b" % (size.to_bytes(2, "big"), text)
    return b"\x81\x7f%b%b" % (size.to_bytes(8, "big"), text)


class FastWriter:
    """Writes text frames to one socket. Guarantee: in order, at most once; nothing after a close frame."""

    __slots__ = ("_protocol", "_waiting")

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol  # Daphne's, with a `state` and a Twisted `transport`
        self._waiting: list[bytes] = []

    def write(self, text: bytes) -> None:
        """Send a text message (UTF-8) at the end of this iteration of the event loop."""
        if not self._waiting:
            _iteration.note(self)
        self._waiting.append(_iteration.framed(text))

    def flush(self) -> None:
        """Send the waiting frames now."""
        waiting = self._waiting
        if not waiting:
            return
        self._waiting = []
        if self._protocol.state == self._protocol.STATE_OPEN:
            _send(self._protocol.transport, waiting[0] if len(waiting) == 1 else b"".join(waiting))

    def unsent(self) -> int:
        """Return the number of bytes waiting in this process; it grows while a client does not read."""
        transport = self._protocol.transport
        return sum(map(len, self._waiting)) + _buffered(transport)


def _buffered(transport: Any) -> int:
    """Return the size of Twisted's two send buffers, which have no public interface."""
    return len(getattr(transport, "dataBuffer", b"")) + int(getattr(transport, "_tempDataLen", 0))


def _send(transport: Any, data: bytes) -> None:
    """Write at once if the buffer is empty; Twisted would first wait for the socket to be writable.

    The rest that the kernel does not accept, and every write of an encrypted connection, goes through
    Twisted.
    """
    sent = 0
    if _is_plain_tcp(transport) and not _buffered(transport):
        outcome = transport.writeSomeData(data)
        # The transport's own write detects a lost connection and notifies the protocol.
        sent = outcome if isinstance(outcome, int) else 0
    if sent < len(data):
        transport.write(data[sent:] if sent else data)


def _is_plain_tcp(transport: Any) -> bool:
    """Return whether bytes may be written straight to this transport's socket."""
    return (
        getattr(transport, "TLS", True) is False
        and bool(transport.connected)
        and not transport.disconnecting
        and not transport._writeDisconnected
    )


class _Iteration:
    """The writers with waiting frames in this iteration of the event loop."""

    __slots__ = ("_frame", "_text", "_writers", "ends_with_loop")

    def __init__(self) -> None:
        self._writers: list[FastWriter] = []
        self.ends_with_loop = True
        self._text: bytes | None = None
        self._frame = b""

    def framed(self, text: bytes) -> bytes:
        """Return the frame. A text for many sockets is the same object and is framed only once."""
        if text is not self._text:
            self._text, self._frame = text, framed(text)
        return self._frame

    def note(self, writer: FastWriter) -> None:
        if not self._writers and self.ends_with_loop:
            asyncio.get_running_loop().call_soon(self.end)
        self._writers.append(writer)

    def end(self) -> None:
        writers, self._writers = self._writers, []
        for writer in writers:
            writer.flush()


_iteration = _Iteration()  # a gateway process has one event loop


@contextmanager
def coalesced_writes() -> Iterator[None]:
    """Send all frames written in the block at its end, without waiting for the loop's next iteration."""
    _iteration.ends_with_loop = False
    try:
        yield
    finally:
        _iteration.ends_with_loop = True
        _iteration.end()


class Wired:
    """Mixin for Daphne's WebSocket protocol: keeps `wire` in order with `send` and close frames."""

    wire: FastWriter

    def onConnect(self, request: Any) -> Any:  # noqa: N802
        self.wire = FastWriter(self)
        return super().onConnect(request)  # type: ignore[misc]

    def serverSend(self, content: Any, binary: bool = False) -> None:  # noqa: N802
        self.wire.flush()
        super().serverSend(content, binary)  # type: ignore[misc]

    def sendCloseFrame(self, *args: Any, **kwargs: Any) -> None:  # noqa: N802
        if hasattr(self, "wire"):  # else the handshake failed before `onConnect`
            self.wire.flush()
        super().sendCloseFrame(*args, **kwargs)  # type: ignore[misc]
