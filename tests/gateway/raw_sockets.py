"""WebSockets by hand: clients that do what no library would, such as not to read."""

import json
import os
import select
import socket
import struct
import time
from contextlib import AbstractContextManager

from tests.gateway.servers import Server


class RawSocket(AbstractContextManager["RawSocket"]):
    """One TCP connection that has shaken hands on `/ws/native`, or on the path that is given."""

    def __init__(
        self, server: Server, *, path: str = "/ws/native", headers: str = "", receives: int = 0
    ) -> None:
        self.tcp = socket.socket()
        if receives:
            self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
        self.tcp.settimeout(20)
        self.tcp.connect(("127.0.0.1", server.port))
        self.tcp.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n".encode()
        )
        self._read = b""
        while b"\r\n\r\n" not in self._read:
            self._read += self._some()
        head, self._read = self._read.split(b"\r\n\r\n", 1)
        self.status = int(head.split()[1])

    def __exit__(self, *_: object) -> None:
        self.tcp.close()

    def send(self, frame: dict) -> None:
        self.tcp.sendall(masked(json.dumps(frame).encode()))

    def frame(self) -> tuple[int, bytes]:
        """Return the next frame: its opcode and its payload."""
        opcode, size = self._take(1)[0] & 15, self._take(1)[0]
        if size == 126:
            size = struct.unpack("!H", self._take(2))[0]
        elif size == 127:
            size = struct.unpack("!Q", self._take(8))[0]
        return opcode, self._take(size)

    def receive(self) -> dict:
        """Return the next text frame."""
        while True:
            opcode, payload = self.frame()
            if opcode == 1:
                return json.loads(payload)

    def close_code(self) -> int:
        """Read on to the close frame and return its code."""
        while True:
            opcode, payload = self.frame()
            if opcode == 8:
                return int(struct.unpack("!H", payload[:2])[0])

    def cut_within(self, seconds: float) -> bool:
        """Wait, without reading, until the server has cut the connection."""
        poll = select.poll()
        poll.register(self.tcp, 0)  # only errors and the end
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if poll.poll(100):
                return True
        return False

    def _take(self, count: int) -> bytes:
        while len(self._read) < count:
            self._read += self._some()
        taken, self._read = self._read[:count], self._read[count:]
        return taken

    def _some(self) -> bytes:
        data = self.tcp.recv(65_536)
        if not data:
            raise ConnectionResetError("ended")
        return data


def masked(payload: bytes, opcode: int = 1, *, final: bool = True) -> bytes:
    """Return a client's frame."""
    mask, size = os.urandom(4), len(payload)
    head = bytes([opcode | (0x80 if final else 0)])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65_536:
        head += b"\xfe" + struct.pack("!H", size)
    else:
        head += b"\xff" + struct.pack("!Q", size)
    return head + mask + bytes(byte ^ mask[number % 4] for number, byte in enumerate(payload))
