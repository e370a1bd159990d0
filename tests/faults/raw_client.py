"""A WebSocket client that costs little and may misbehave: it may stop reading, or write without end."""

import asyncio
import json
import select
import socket
import struct
from collections.abc import Callable

HANDSHAKE = (
    "GET /ws/native HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
_CUT = select.POLLERR | select.POLLHUP | select.POLLNVAL


def masked(payload: bytes, opcode: int = 1) -> bytes:
    """Return a client's frame. The mask is zero, which the protocol allows and which costs nothing."""
    size = len(payload)
    if size < 126:
        return bytes([0x80 | opcode, 0x80 | size]) + b"\0\0\0\0" + payload
    return bytes([0x80 | opcode, 0xFE]) + struct.pack("!H", size) + b"\0\0\0\0" + payload


class RawClient(asyncio.Protocol):
    """One connection. `on_frame` gets each text frame, parsed; `closed` is done with the close code."""

    def __init__(self, port: int, on_frame: Callable[[dict], None]) -> None:
        self._port = port
        self._on_frame = on_frame
        self._data = b""
        self._open = False
        self._first: dict = {}  # sent when the handshake is over, not before
        self.transport: asyncio.Transport
        self.ready: asyncio.Future[dict] = asyncio.get_running_loop().create_future()
        self.closed: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @classmethod
    async def connect(
        cls, port: int, token: str, on_frame: Callable[[dict], None], *, number: int, resume: dict | None
    ) -> "RawClient":
        """Return a client that is `ready`. Forty share one address of the loopback network."""
        tcp = socket.socket()
        tcp.setblocking(False)
        tcp.bind((f"127.0.0.{2 + number // 40 % 250}", 0))
        loop = asyncio.get_running_loop()
        await loop.sock_connect(tcp, ("127.0.0.1", port))
        _, client = await loop.create_connection(lambda: cls(port, on_frame), sock=tcp)
        client._first = {"type": "auth", "token": token} | ({"resume": resume} if resume else {})
        await asyncio.wait_for(client.ready, 20)
        return client

    def send(self, frame: dict) -> None:
        self.transport.write(masked(json.dumps(frame).encode()))

    def stop_reading(self) -> None:
        self.transport.pause_reading()

    def read_again(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def cut(self) -> bool:
        """Tell, without reading, whether the server has cut the connection."""
        if self.closed.done():
            return True
        poll = select.poll()
        poll.register(self.transport.get_extra_info("socket").fileno(), 0)
        return any(event & _CUT for _, event in poll.poll(0))

    # --- asyncio.Protocol -------------------------------------------------------------------------------
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.transport.write(HANDSHAKE.format(port=self._port).encode())

    def connection_lost(self, error: Exception | None) -> None:
        self._end(1006)

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self._open:
            head, found, rest = self._data.partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head:
                self.transport.abort()
                return
            self._open, self._data = True, rest
            self.send(self._first)
        while self._frame():
            pass

    def _frame(self) -> bool:
        """Take one frame off the data, if it is there."""
        data = self._data
        if len(data) < 2:
            return False
        size, start = data[1] & 127, 2
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(data[2:10], "big"), 10
        if len(data) < start + size:
            return False
        payload, self._data = data[start : start + size], data[start + size :]
        self._take(data[0] & 15, payload)
        return True

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == 1:
            frame = json.loads(payload)
            if frame["type"] == "ready" and not self.ready.done():
                self.ready.set_result(frame)
            self._on_frame(frame)
        elif opcode == 9:
            self.transport.write(masked(payload, 10))
        elif opcode == 8:
            self.transport.write(masked(payload, 8))
            self._end(int.from_bytes(payload[:2], "big"))

    def _end(self, code: int) -> None:
        if not self.closed.done():
            self.closed.set_result(code)
        if not self.ready.done():
            self.ready.set_exception(ConnectionResetError(f"closed with {code}"))
            self.ready.exception()  # whoever waits gets it; nobody may


def open_files(wanted: int) -> None:
    """Let this process have so many sockets."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
