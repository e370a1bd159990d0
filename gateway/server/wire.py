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
    """Return the wire of this ASGI connection, if its server offers one."""
    wire: FastWriter | None = scope.get("extensions", {}).get(EXTENSION)
    return wire


def framed(text: bytes) -> bytes:
    """Return the WebSocket frame (RFC 6455, 5.2) of a whole text message from a server, not masked."""
    size = len(text)
    if size < 126:
        return b"\x81%c%b" % (size, text)
    if size < 65_536:
        return b"\x81\x7e%b%b" % (size.to_bytes(2, "big"), text)
    return b"\x81\x7f%b%b" % (size.to_bytes(8, "big"), text)


class FastWriter:
    """Text frames for one socket. Guarantee: in order, at most once; nothing after a close frame."""

    __slots__ = ("_protocol", "_waiting")

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol  # Daphne's: with a `state` and a Twisted `transport`
        self._waiting: list[bytes] = []

    def write(self, text: bytes) -> None:
        """Send a text message, UTF-8, at the end of this turn of the event loop."""
        if not self._waiting:
            _turn.note(self)
        self._waiting.append(_turn.framed(text))

    def flush(self) -> None:
        """Send what waits, now."""
        waiting = self._waiting
        if not waiting:
            return
        self._waiting = []
        if self._protocol.state == self._protocol.STATE_OPEN:
            _send(self._protocol.transport, waiting[0] if len(waiting) == 1 else b"".join(waiting))

    def unsent(self) -> int:
        """Return how many bytes wait in this process: a client that does not read lets them grow."""
        transport = self._protocol.transport
        return sum(map(len, self._waiting)) + _buffered(transport)


def _buffered(transport: Any) -> int:
    """Return what Twisted holds back for a transport. Its two buffers have no public face."""
    return len(getattr(transport, "dataBuffer", b"")) + int(getattr(transport, "_tempDataLen", 0))


def _send(transport: Any, data: bytes) -> None:
    """Write at once where nothing is in front; Twisted would first wait for the socket to be writable.

    What the kernel does not take, and every write of an encrypted connection, is Twisted's.
    """
    sent = 0
    if _is_plain_tcp(transport) and not _buffered(transport):
        outcome = transport.writeSomeData(data)
        # A lost connection is found by the transport's own write, which also tells the protocol.
        sent = outcome if isinstance(outcome, int) else 0
    if sent < len(data):
        transport.write(data[sent:] if sent else data)


def _is_plain_tcp(transport: Any) -> bool:
    """Return whether bytes may go straight to this transport's socket."""
    return (
        getattr(transport, "TLS", True) is False
        and bool(transport.connected)
        and not transport.disconnecting
        and not transport._writeDisconnected
    )


class _Turn:
    """The sockets that have something to write in this turn of the loop."""

    __slots__ = ("_frame", "_text", "_wires", "ends_by_itself")

    def __init__(self) -> None:
        self._wires: list[FastWriter] = []
        self.ends_by_itself = True
        self._text: bytes | None = None
        self._frame = b""

    def framed(self, text: bytes) -> bytes:
        """Return the frame. One text for many sockets is the same object, and framed once."""
        if text is not self._text:
            self._text, self._frame = text, framed(text)
        return self._frame

    def note(self, wire: FastWriter) -> None:
        if not self._wires and self.ends_by_itself:
            asyncio.get_running_loop().call_soon(self.end)
        self._wires.append(wire)

    def end(self) -> None:
        wires, self._wires = self._wires, []
        for wire in wires:
            wire.flush()


_turn = _Turn()  # of the one event loop that a gateway process has


@contextmanager
def coalesced_writes() -> Iterator[None]:
    """Send what is written in the block at its end, and do not wait for the end of the loop's own turn."""
    _turn.ends_by_itself = False
    try:
        yield
    finally:
        _turn.ends_by_itself = True
        _turn.end()


class Wired:
    """Mixed into Daphne's WebSocket protocol: a `wire`, in order with what goes out by `send` and close."""

    wire: FastWriter

    def onConnect(self, request: Any) -> Any:  # noqa: N802
        self.wire = FastWriter(self)
        return super().onConnect(request)  # type: ignore[misc]

    def serverSend(self, content: Any, binary: bool = False) -> None:  # noqa: N802
        self.wire.flush()
        super().serverSend(content, binary)  # type: ignore[misc]

    def sendCloseFrame(self, *args: Any, **kwargs: Any) -> None:  # noqa: N802
        if hasattr(self, "wire"):  # the handshake came so far
            self.wire.flush()
        super().sendCloseFrame(*args, **kwargs)  # type: ignore[misc]
