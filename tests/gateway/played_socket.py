"""A socket without a network: a list stands for its connection, another one for Postgres."""

import asyncio
import json
import time
from collections.abc import Callable

from django.db import OperationalError

from gateway.sockets.feed import SessionFeed
from gateway.sockets.window import Window
from notifications.live import frames, pubsub
from notifications.live.recovery import Missed


def frame(seq: int, *, ack_by: int = 0, repeat: bool = False) -> bytes:
    """A stored event's frame, as `frames.event_frame` begins it."""
    more: dict[str, object] = {"ack_by": ack_by} if ack_by else {}
    more |= {"repeat": True} if repeat else {}
    return pubsub.frame("event", seq=seq, **more, event_id=f"e{seq}", payload={})


INFORMATIONAL = pubsub.frame("event", event_id="info", payload={})
MIRROR = pubsub.frame("event.read", event_ids=["e1"])


class Connection:
    """A connection that accepts everything; a test sets `backlog`."""

    def __init__(self) -> None:
        self.backlog = 0
        self.written: list[dict] = []

    def write(self, data: bytes) -> None:
        self.written.append(json.loads(data))

    @property
    def seqs(self) -> list[int]:
        return [item["seq"] for item in self.written if "seq" in item]


class Table:
    """Postgres: the events up to `last`, and the reads of them."""

    def __init__(self, last: int = 0) -> None:
        self.last = last
        self.reads: list[tuple[int, int]] = []
        self.away = 0

    async def read(self, after: int, limit: int) -> Missed:
        self.reads.append((after, limit))
        await asyncio.sleep(0)
        if self.away:
            self.away -= 1
            raise OperationalError("away")
        found = range(after + 1, min(self.last, after + limit) + 1)
        pages = [(frames.head(frame(seq)), frame(seq)) for seq in found]
        return Missed([(head, data) for head, data in pages if head], found[-1] if found else after)


class Socket:
    def __init__(self, *, last: int = 0, window: int = 64, slow_after_s: float = 60) -> None:
        self.connection = Connection()
        self.table = Table(last)
        self.slow = asyncio.Event()
        self.feed = SessionFeed(
            self.connection,
            Window(window, 10**6),
            read_missed=self.table.read,
            on_slow=self.slow.set,
            slow_after_s=slow_after_s,
        )

    def start(self, after: int = 0, *, resumed: bool = True) -> "Socket":
        self.feed.start(after=after, head=self.table.last, resumed=resumed)
        return self

    def push(self, *seqs: int, **how: object) -> None:
        """Commit and push events."""
        for seq in seqs:
            self.table.last = max(self.table.last, seq)
            self.feed.receive(frame(seq, **how))  # type: ignore[arg-type]

    async def until(self, true: Callable[["Socket"], object]) -> None:
        deadline = time.monotonic() + 10
        while not true(self):
            assert time.monotonic() < deadline, self.connection.seqs
            await asyncio.sleep(0.001)

    async def until_seqs(self, *seqs: int) -> None:
        await self.until(lambda socket: socket.connection.seqs == list(seqs))
