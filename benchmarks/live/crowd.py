"""Many cheap WebSocket clients in one process: raw sockets, one epoll, only bytes are counted.

A WebSocket library would be the bottleneck here. All frames of a run have the same length, so the bytes give
their number; `blaster.py` measures the limit of this client.
"""

import select
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.kit.raw_websocket import PONG, client_frame, handshake

SOCKETS_AN_ADDRESS = 40  # of 127.0.0.x, below every limit per address
_BUFFER = 256 * 1024
_PING = 0x89  # our texts are ASCII: this byte is a ping's first, or in the data of one


@dataclass(frozen=True, slots=True)
class Hello:
    """How one client connects: its path, its first message, and the text that shows it is ready."""

    path: str
    first: str = ""
    ready: bytes = b"\r\n\r\n"
    then: str = ""  # said when ready, such as a subscription


def frame_length(payload: int) -> int:
    """Return the length on the wire of a server's text frame."""
    return payload + (2 if payload < 126 else 4 if payload < 65_536 else 10)


class Crowd:
    """Clients of one server on loopback."""

    def __init__(self, port: int, hellos: list[Hello]) -> None:
        self._port = port
        self._hellos = hellos
        self._epoll = select.epoll()
        self.sockets: dict[int, socket.socket] = {}
        self._coming: dict[int, tuple[int, bytes, bool]] = {}
        self._buffer = bytearray(_BUFFER)
        self.retries = 0

    def open(self, *, at_once: int = 50, timeout_s: float = 120) -> float:
        """Connect all clients, `at_once` at a time. Return the seconds until the last was ready."""
        started = time.perf_counter()
        waiting = list(enumerate(self._hellos))[::-1]
        while waiting or self._coming:
            while waiting and len(self._coming) < at_once:
                self._connect(*waiting.pop())
            for fd, _ in self._epoll.poll(1):
                if fd in self._coming and not self._advance(fd):
                    waiting.insert(0, self._give_up(fd))
            if time.perf_counter() - started > timeout_s:
                raise SystemExit(f"{len(waiting) + len(self._coming)} clients did not connect")
        return time.perf_counter() - started

    def _connect(self, number: int, hello: Hello) -> None:
        opened = socket.socket()
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.bind((f"127.0.1.{1 + number // SOCKETS_AN_ADDRESS}", 0))
        opened.connect(("127.0.0.1", self._port))
        opened.sendall(handshake(self._port, hello.path))
        opened.setblocking(False)
        self.sockets[opened.fileno()] = opened
        self._coming[opened.fileno()] = (number, b"", False)
        self._epoll.register(opened, select.EPOLLIN)

    def _advance(self, fd: int) -> bool:
        """Continue with a connecting client. Return False if it has to reconnect, as real ones do."""
        number, received, greeted = self._coming[fd]
        hello = self._hellos[number]
        try:
            data = self.sockets[fd].recv(65_536)
        except ConnectionResetError:
            return False
        received += data
        if not data and not received:
            return False
        if not data or (received.startswith(b"HTTP/1.1 ") and not received.startswith(b"HTTP/1.1 101")):
            raise SystemExit(f"a client was refused: {received[:300]!r}")
        if not greeted and b"\r\n\r\n" in received:
            greeted = True
            if hello.first:
                self.sockets[fd].sendall(client_frame(hello.first.encode()))
        if greeted and hello.ready in received:
            if hello.then:
                self.sockets[fd].sendall(client_frame(hello.then.encode()))
            del self._coming[fd]
        else:
            self._coming[fd] = (number, received, greeted)
        return True

    def _give_up(self, fd: int) -> tuple[int, Hello]:
        number, _, _ = self._coming.pop(fd)
        self.sockets.pop(fd).close()
        self.retries += 1
        return number, self._hellos[number]

    def read(self, timeout_s: float = 0) -> int:
        """Return how many bytes came to all clients together, answered pings not counted."""
        total = 0
        sockets, buffer = self.sockets, self._buffer
        for fd, _ in self._epoll.poll(timeout_s, 1_024):
            got = sockets[fd].recv_into(buffer)
            if not got:
                raise SystemExit("the server closed a socket")
            total += got - self._answer_pings(sockets[fd], buffer, got)
        return total

    @staticmethod
    def _answer_pings(opened: socket.socket, data: bytes | bytearray, end: int) -> int:
        """Answer the pings in what came; return how many bytes they had."""
        found, bytes_of_pings = data.find(_PING, 0, end), 0
        while found >= 0:
            after = found + 2 + (data[found + 1] if found + 1 < end else end)
            if after > end:  # cut in two, which is rare: the next one is answered
                break
            opened.sendall(client_frame(bytes(data[found + 2 : after]), PONG))
            bytes_of_pings += after - found
            found = data.find(_PING, after, end)
        return bytes_of_pings

    def arrivals(self, timeout_s: float = 0) -> Iterator[tuple[socket.socket, bytes]]:
        """Yield what came, socket by socket."""
        for fd, _ in self._epoll.poll(timeout_s, 1_024):
            data = self.sockets[fd].recv(_BUFFER)
            if not data:
                raise SystemExit("the server closed a socket")
            self._answer_pings(self.sockets[fd], data, len(data))
            yield self.sockets[fd], data

    def settle(self, quiet_s: float = 0.3) -> None:
        """Read what is left, until nothing came for a while."""
        while self.read(quiet_s):
            pass

    def close(self) -> None:
        for opened in self.sockets.values():
            opened.close()
        self.sockets.clear()
        self._epoll.close()
        self._epoll = select.epoll()
