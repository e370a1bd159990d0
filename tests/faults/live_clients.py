"""Clients that keep a log of every frame, come and go as they are told, and resume where they were."""

import asyncio
import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp

from tests.faults.keep_connected import keep_connected

_BACK_S = (0.0, 0.6)


@dataclass(slots=True)
class Seen:
    """One event frame as a client took it."""

    seq: int
    event_id: str
    at: float
    ack_by: int
    repeat: bool


@dataclass(slots=True)
class Log:
    """What one person's client saw over all its connections."""

    start: int = -1  # seq of the first `ready`
    epoch: str = ""
    events: list[Seen] = field(default_factory=list)
    connections: int = 0
    recovered: int = 0
    snapshots: int = 0

    @property
    def position(self) -> int:
        return max([self.start, *(seen.seq for seen in self.events[-100:] if not seen.repeat)])

    @property
    def sequence(self) -> list[int]:
        """The seqs in the order of arrival, without the events that came back to the page."""
        return [seen.seq for seen in self.events if not seen.repeat]


class LiveClients:
    """One socket for each person, in a thread of its own; `seen` is what the ledger counts.

    They stay until `come_and_go`. `confirming` may be switched; `confirm` sends what was held back.
    """

    def __init__(
        self,
        url: str,
        persons: list[str],
        token: Callable[[str], str],
        *,
        seed: int,
        confirming: bool = True,
    ) -> None:
        self.logs = {person: Log() for person in persons}
        self.confirming = confirming
        self._url = f"{url}/ws/native"
        self._token = token
        self._stay_s: tuple[float, float] | None = None
        self._random = random.Random(seed)
        self._open: dict[str, aiohttp.ClientWebSocketResponse] = {}
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def seen(self) -> set[str]:
        return {seen.event_id for log in self.logs.values() for seen in list(log.events)}

    def start(self) -> "LiveClients":
        self._thread.start()
        return self

    def all_open(self) -> bool:
        return len(self._open) == len(self.logs)

    def come_and_go(self, at_least_s: float, at_most_s: float) -> None:
        """From now on every connection lasts so long, and is then dropped without a word."""

        def begin() -> None:
            self._stay_s = (at_least_s, at_most_s)
            for socket in self._open.values():
                self._leave_later(socket)

        self._loop.call_soon_threadsafe(begin)

    def settle_down(self) -> None:
        """Drop no further connection."""
        self._stay_s = None

    def confirm(self, person: str, event_ids: list[str]) -> None:
        frame = {"type": "ack", "event_ids": event_ids}
        asyncio.run_coroutine_threadsafe(self._open[person].send_json(frame), self._loop).result(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(20)

    # --- inside the loop --------------------------------------------------------------------------------
    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(
            keep_connected(
                self.logs,
                self._connect,
                until=self._stopping.wait(),
                back_after_s=lambda: self._random.uniform(*_BACK_S),
            )
        )
        self._loop.close()

    async def _connect(self, session: aiohttp.ClientSession, person: str) -> None:
        log = self.logs[person]
        leave: asyncio.TimerHandle | None = None
        try:
            async with session.ws_connect(
                self._url, timeout=aiohttp.ClientWSTimeout(ws_close=1), max_msg_size=0
            ) as socket:
                log.connections += 1
                auth: dict[str, object] = {"type": "auth", "token": self._token(person)}
                if log.epoch:
                    auth["resume"] = {"seq": log.position, "epoch": log.epoch}
                await socket.send_json(auth)
                leave = self._leave_later(socket)
                async for message in socket:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        await self._take(socket, person, json.loads(message.data))
        finally:
            self._open.pop(person, None)
            if leave is not None:
                leave.cancel()

    def _leave_later(self, socket: aiohttp.ClientWebSocketResponse) -> asyncio.TimerHandle | None:
        """Cut the connection after a while, as a lost network does: no close frame, no warning."""
        if self._stay_s is None:
            return None
        response = socket._response

        def cut() -> None:
            if self._stay_s is not None and response.connection is not None:
                transport = response.connection.transport
                if transport is not None:
                    transport.abort()

        return self._loop.call_later(self._random.uniform(*self._stay_s), cut)

    async def _take(self, socket: aiohttp.ClientWebSocketResponse, person: str, frame: dict) -> None:
        log = self.logs[person]
        kind = frame["type"]
        if kind == "ready":
            log.recovered += frame["recovered"]
            if not log.epoch:
                log.start, log.epoch = frame["seq"], frame["epoch"]
            self._open[person] = socket
        elif kind == "event" and "seq" in frame:
            repeat, ack_by = frame.get("repeat", False), frame.get("ack_by", 0)
            log.events.append(Seen(frame["seq"], frame["event_id"], time.time(), ack_by, repeat))
            if self.confirming:
                await socket.send_json({"type": "ack", "event_ids": [frame["event_id"]]})
        elif kind == "snapshot":
            log.snapshots += 1
