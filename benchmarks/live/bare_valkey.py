"""Publish to a subscriber with nothing but Valkey between them: the hop that every event of ours makes."""

import os
import select
from collections.abc import Iterator

import publishers
from publishers import Publisher


class Subscriber(Publisher):
    """Stands in for a crowd: what comes on the channels comes to it."""

    def __init__(self, channels: list[str]) -> None:
        server = publishers.valkey_address(os.environ["REDIS_URL"])
        super().__init__(server.port)
        self.sockets = dict(enumerate(channels))
        self._epoll = select.epoll()
        self._epoll.register(self._socket, select.EPOLLIN)
        self.send(server.auth)
        self.send(b"SUBSCRIBE %b\r\n" % " ".join(channels).encode())
        self.settle()

    def arrivals(self, timeout_s: float) -> Iterator[tuple[None, bytes]]:
        for _ in self._epoll.poll(timeout_s):
            yield None, self._socket.recv(1 << 18)

    def settle(self) -> None:
        while list(self.arrivals(0.3)):
            pass


class Bare:
    """A side without a server of its own."""

    name = "Valkey alone"

    def publisher(self) -> Publisher:
        return publishers.valkey_publisher(os.environ["REDIS_URL"])

    def publish(self, target: str, data: bytes) -> bytes:
        return publishers.publish_command(target, data)
