"""A WebSocket of plain bytes: no library stands between a scenario and what it wants to send."""

import asyncio
import base64
import json
import os
import socket
import struct
from collections.abc import Mapping

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_OPENING_S = 30.0


class Refused(Exception):
    """The handshake was not answered with 101. `status` is 0 where the connection just ended."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def packed(payload: bytes, opcode: int = TEXT, *, first: int = 0x80, masked: bool = True) -> bytes:
    """Return one frame as a client sends it. `first` has FIN and the reserved bits."""
    size = len(payload)
    bit = 0x80 if masked else 0
    if size < 126:
        head = struct.pack("!BB", first | opcode, bit | size)
    elif size < 65_536:
        head = struct.pack("!BBH", first | opcode, bit | 126, size)
    else:
        head = struct.pack("!BBQ", first | opcode, bit | 127, size)
    return head + (b"\0\0\0\0" if masked else b"") + payload  # a mask of zeros changes nothing


class RawSocket:
    """One connection. `received` has every text frame, `closed` the server's close code (1006: none)."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.received: list[dict] = []
        self.closed: int | None = None

    @classmethod
    async def open(
        cls,
        port: int,
        path: str = "/ws/native",
        *,
        source: str = "127.0.0.1",
        headers: Mapping[str, str] | None = None,
    ) -> "RawSocket":
        """Connect and shake hands. Raises: `Refused`, `OSError`, `TimeoutError`."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
        lines = {
            "Host": f"127.0.0.1:{port}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            **(headers or {}),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        writer.write(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        try:
            answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _OPENING_S)
        except (asyncio.IncompleteReadError, OSError, TimeoutError) as error:
            writer.transport.abort()
            raise Refused(0) from error
        status = int(answer.split(b" ", 2)[1])
        if status != 101:
            writer.transport.abort()
            raise Refused(status)
        return cls(reader, writer)

    def write(self, data: bytes) -> None:
        """Send bytes as they are; nothing happens on a connection that is gone."""
        if not self._writer.transport.is_closing():
            self._writer.write(data)

    def say(self, **frame: object) -> None:
        self.write(packed(json.dumps(frame).encode()))

    async def drained(self) -> None:
        try:
            await self._writer.drain()
        except OSError:
            self.closed = self.closed or 1006

    async def hear(self, within_s: float = 10.0) -> dict | None:
        """Return the next text frame; None when the server has closed.  Raises: `TimeoutError`."""
        async with asyncio.timeout(within_s):
            while self.closed is None:
                opcode, payload = await self._frame()
                if opcode == TEXT:
                    self.received.append(json.loads(payload))
                    return self.received[-1]
                if opcode == PING:
                    self.write(packed(payload, PONG))
                elif opcode == CLOSE:
                    self.closed = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 1005
                    self.write(packed(payload[:2], CLOSE))
                    self._writer.close()
        return None

    async def until(self, kind: str, within_s: float = 10.0) -> dict | None:
        """Return the next frame of this type; None when the server has closed first."""
        while (frame := await self.hear(within_s)) is not None and frame["type"] != kind:
            pass
        return frame

    async def until_closed(self, within_s: float = 10.0) -> int:
        """Read on until the server closes. Raises: `TimeoutError`."""
        while await self.hear(within_s) is not None:
            pass
        assert self.closed is not None
        return self.closed

    async def _frame(self) -> tuple[int, bytes]:
        try:
            first, second = await self._reader.readexactly(2)
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack("!H", await self._reader.readexactly(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", await self._reader.readexactly(8))
            return first & 0x0F, await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, OSError):
            self._writer.transport.abort()
            return CLOSE, struct.pack("!H", 1006)

    def cut(self) -> None:
        """End the connection with a reset, without a word."""
        own = self._writer.get_extra_info("socket")
        if own is not None and own.fileno() >= 0:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


async def signed_in(port: int, token: str, **how: object) -> RawSocket:
    """Open a socket, sign in and return it after `ready`. Raises: `Refused` if it is closed instead."""
    raw = await RawSocket.open(port, **how)  # type: ignore[arg-type]
    raw.say(type="auth", token=token)
    if await raw.until("ready", 30) is None:
        raise Refused(raw.closed or 0)
    return raw
