"""Publishers that write prepared bytes, so that they cost every side of a comparison next to nothing."""

import contextlib
import socket
from typing import NamedTuple
from urllib.parse import urlsplit


def publish_command(channel: str, message: bytes) -> bytes:
    """Return a `PUBLISH` as it goes over the wire."""
    name = channel.encode()
    return b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(name), name, len(message), message)


def post_request(channel: str, message: bytes) -> bytes:
    """Return the same for nchan: a POST on a connection that stays."""
    return b"POST /pub?id=%b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (
        channel.encode(),
        len(message),
        message,
    )


class Publisher:
    """One connection whose answers are read and thrown away."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(1 << 20)

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)
        self.drop_answers()

    def drop_answers(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._socket.recv_into(self._buffer, 0, socket.MSG_DONTWAIT)

    def close(self) -> None:
        self._socket.close()


class Valkey(NamedTuple):
    """Where it listens, and what a connection says first."""

    port: int
    auth: bytes


def valkey_address(url: str) -> Valkey:
    parts = urlsplit(url)
    assert parts.port is not None and parts.password is not None
    return Valkey(parts.port, b"AUTH %b\r\n" % parts.password.encode())


def valkey_publisher(url: str) -> Publisher:
    server = valkey_address(url)
    publisher = Publisher(server.port)
    publisher.send(server.auth)
    return publisher
