"""A WebSocket client, blocking and asyncio, for tests that break the protocol or misbehave.

It may send any bytes, stop reading, write without end, or cut the connection without a close frame.
"""

import asyncio
import json
import select
import socket
import struct
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress

from sandbox.system.start import HOST

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_NO_CODE, _NO_CLOSE_FRAME = 1005, 1006
_OPENING_S = 30.0
_CUT = select.POLLERR | select.POLLHUP | select.POLLNVAL


class Refused(Exception):
    """The handshake was not answered with 101. `status` is 0 where the connection just ended."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def handshake(port: int, path: str, headers: Mapping[str, str] | None = None) -> bytes:
    lines = {
        "Host": f"{HOST}:{port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        **(headers or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"GET {path} HTTP/1.1\r\n{head}\r\n".encode()


def client_frame(payload: bytes, opcode: int = TEXT, *, final: bool = True, masked: bool = True) -> bytes:
    """Return one frame. The mask is zero, which the protocol allows and which costs nothing."""
    size, first, bit = len(payload), opcode | (0x80 if final else 0), 0x80 if masked else 0
    if size < 126:
        head = struct.pack("!BB", first, bit | size)
    elif size < 65_536:
        head = struct.pack("!BBH", first, bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, bit | 127, size)
    return head + bytes(4 if masked else 0) + payload


class _Frames:
    """Splits a server's bytes into the head of the handshake's response and frames."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> None:
        self._data += data

    def status(self) -> int | None:
        """Take the head off; return its status once all of it has come."""
        head, found, rest = self._data.partition(b"\r\n\r\n")
        if not found:
            return None
        self._data = rest
        return int(head.split()[1])

    def next(self) -> tuple[int, bytes] | None:
        """Take one frame off, if all of it has come; return its opcode and payload."""
        data = self._data
        if len(data) < 2:
            return None
        size, start = data[1] & 127, 2
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(data[2:10], "big"), 10
        if len(data) < start + size:
            return None
        self._data = data[start + size :]
        return data[0] & 15, data[start : start + size]


def _code(payload: bytes) -> int:
    return int.from_bytes(payload[:2], "big") if len(payload) >= 2 else _NO_CODE


class RawSocket(AbstractContextManager["RawSocket"]):
    """A blocking connection after its handshake. It answers no ping and no close frame."""

    def __init__(
        self,
        port: int,
        *,
        path: str = "/ws/native",
        headers: Mapping[str, str] | None = None,
        receive_buffer: int = 0,
    ) -> None:
        self.tcp = socket.socket()
        if receive_buffer:
            self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.tcp.settimeout(20)
        self.tcp.connect((HOST, port))
        self.tcp.sendall(handshake(port, path, headers))
        self._frames = _Frames()
        while (status := self._frames.status()) is None:
            self._read()
        self.status = status

    def __exit__(self, *_: object) -> None:
        self.tcp.close()

    def send(self, frame: dict) -> None:
        self.tcp.sendall(client_frame(json.dumps(frame).encode()))

    def frame(self) -> tuple[int, bytes]:
        """Return the next frame: its opcode and its payload."""
        while (found := self._frames.next()) is None:
            self._read()
        return found

    def receive(self) -> dict:
        """Return the next text frame."""
        return json.loads(self._next(TEXT))

    def close_code(self) -> int:
        """Read on to the close frame and return its code."""
        return _code(self._next(CLOSE))

    def cut_within(self, seconds: float) -> bool:
        """Wait, without reading, until the server has cut the connection."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if _is_cut(self.tcp, 100):
                return True
        return False

    def _next(self, opcode: int) -> bytes:
        while True:
            found, payload = self.frame()
            if found == opcode:
                return payload

    def _read(self) -> None:
        data = self.tcp.recv(65_536)
        if not data:
            raise ConnectionResetError("ended")
        self._frames.feed(data)


def _is_cut(tcp: socket.socket, timeout_ms: int) -> bool:
    poll = select.poll()
    poll.register(tcp.fileno(), 0)  # only errors and the end
    return any(event & _CUT for _, event in poll.poll(timeout_ms))


class AsyncRawSocket(asyncio.Protocol):
    """An asyncio connection that answers pings and close frames.

    Text frames go to `on_frame`, or without one to `received`. `closed` is the server's close code.
    """

    transport: asyncio.Transport

    def __init__(self, on_frame: Callable[["AsyncRawSocket", dict], None] | None) -> None:
        self.received: list[dict] = []
        self.ready: dict | None = None
        self.closed: int | None = None
        self._status: int | None = None
        self._heard = 0  # of `received`
        self._on_frame = on_frame
        self._frames = _Frames()
        self._changed = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    @classmethod
    async def open(
        cls,
        port: int,
        path: str = "/ws/native",
        *,
        source: str = HOST,
        headers: Mapping[str, str] | None = None,
        on_frame: Callable[["AsyncRawSocket", dict], None] | None = None,
    ) -> "AsyncRawSocket":
        """Connect from an address and shake hands. Raises: `Refused`, `OSError`."""
        loop = asyncio.get_running_loop()
        _, raw = await loop.create_connection(lambda: cls(on_frame), HOST, port, local_addr=(source, 0))
        raw.transport.write(handshake(port, path, headers))
        with suppress(TimeoutError):
            await raw._until(lambda: raw._status is not None, _OPENING_S)
        if raw._status != 101:
            raw.transport.abort()
            raise Refused(raw._status or 0)
        return raw

    @classmethod
    async def signed_in(
        cls, port: int, token: str, *, resume: dict | None = None, **how: object
    ) -> "AsyncRawSocket":
        """Open, sign in, and return the socket once `ready`. Raises: `Refused`, `OSError`, `TimeoutError`."""
        raw = await cls.open(port, **how)  # type: ignore[arg-type]
        raw.say(type="auth", token=token, **({"resume": resume} if resume else {}))
        await raw.until_ready()
        return raw

    async def until_ready(self) -> None:
        """Wait for `ready`. Raises: `Refused` if the server closes instead, `TimeoutError`."""
        await self._until(lambda: self.ready is not None, 30)
        if self.ready is None:
            raise Refused(self.closed or 0)

    def write(self, data: bytes) -> None:
        """Send bytes as they are; nothing happens on a connection that is gone."""
        if not self.transport.is_closing():
            self.transport.write(data)

    def say(self, **frame: object) -> None:
        self.write(client_frame(json.dumps(frame).encode()))

    async def drained(self) -> None:
        """Wait until the write buffer is below its limit, or the connection is gone."""
        await self._writable.wait()

    async def hear(self, within_s: float = 10.0) -> dict | None:
        """Return the next text frame; None when the server has closed. Raises: `TimeoutError`."""
        await self._until(lambda: self._heard < len(self.received), within_s)
        if self._heard == len(self.received):
            return None
        self._heard += 1
        return self.received[self._heard - 1]

    async def until(self, kind: str, within_s: float = 10.0) -> dict | None:
        """Return the next frame of this type; None when the server has closed first."""
        while (frame := await self.hear(within_s)) is not None and frame["type"] != kind:
            pass
        return frame

    async def until_closed(self, within_s: float | None = 10.0) -> int:
        """Wait until the server closes; return its code. Raises: `TimeoutError`."""
        await self._until(lambda: False, within_s)
        assert self.closed is not None
        return self.closed

    async def _until(self, true: Callable[[], bool], within_s: float | None) -> None:
        """Wait until it is true or the connection has been closed."""
        async with asyncio.timeout(within_s):
            while not true() and self.closed is None:
                self._changed.clear()
                await self._changed.wait()

    def stop_reading(self) -> None:
        self.transport.pause_reading()

    def read_again(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def is_cut(self) -> bool:
        """Return, without reading, whether the server has cut the connection."""
        return self.closed is not None or _is_cut(self.transport.get_extra_info("socket"), 0)

    def cut(self) -> None:
        """Reset the connection, without a close frame."""
        own = self.transport.get_extra_info("socket")
        if own is not None and own.fileno() >= 0:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def close(self) -> None:
        """Say goodbye and close."""
        self.write(client_frame(struct.pack("!H", 1000), CLOSE))
        self.transport.close()

    # --- asyncio.Protocol -------------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._frames.feed(data)
        if self._status is None:
            self._status = self._frames.status()
        if self._status is not None:
            while self.closed is None and (frame := self._frames.next()) is not None:
                self._take(*frame)
        self._changed.set()

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == TEXT:
            frame = json.loads(payload)
            if frame["type"] == "ready":
                self.ready = frame
            if self._on_frame is None:
                self.received.append(frame)
            else:
                self._on_frame(self, frame)
        elif opcode == PING:
            self.write(client_frame(payload, PONG))
        elif opcode == CLOSE:
            self.closed = _code(payload)
            self.write(client_frame(payload[:2], CLOSE))
            self.transport.close()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, error: Exception | None) -> None:
        if self.closed is None:
            self.closed = _NO_CLOSE_FRAME
        self._writable.set()
        self._changed.set()
