"""Clients with open sockets: they record every event that they receive, and confirm it or never do."""

import asyncio
import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Self

from tests.kit.raw_websocket import AsyncRawSocket, Refused


class KeptOpen(ABC):
    """One socket for each person, opened again whenever it closes. Runs in a thread of its own."""

    def __init__(
        self, port: int, persons: list[str], token: Callable[[str], str], *, confirming: bool = True
    ) -> None:
        self.confirming = confirming
        self.closes: list[int] = []
        self._port = port
        self._persons = persons
        self._token = token
        self._open: dict[str, AsyncRawSocket] = {}
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @abstractmethod
    def _take(self, person: str, frame: dict) -> bool:
        """Record a frame; return whether it has to be confirmed."""

    def start(self) -> Self:
        self._thread.start()
        return self

    def all_open(self) -> bool:
        return len(self._open) == len(self._persons)

    def stop(self) -> None:
        """Close all of them. A second call, such as the stage's own, changes nothing."""
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(20)

    # --- inside the loop --------------------------------------------------------------------------------
    def _run(self) -> None:
        self._loop.run_until_complete(self._stay_all())
        self._loop.close()

    async def _stay_all(self) -> None:
        staying = [asyncio.create_task(self._stay(person)) for person in self._persons]
        await self._stopping.wait()
        for task in staying:
            task.cancel()
        await asyncio.gather(*staying, return_exceptions=True)

    async def _stay(self, person: str) -> None:
        while True:
            with contextlib.suppress(Refused, OSError, TimeoutError):
                await self._connect(person)
            await asyncio.sleep(self._back_after_s())

    async def _connect(self, person: str) -> None:
        def take(raw: AsyncRawSocket, frame: dict) -> None:
            if frame["type"] == "ready":
                self._open[person] = raw
            if self._take(person, frame) and self.confirming:
                raw.say(type="ack", event_ids=[frame["event_id"]])

        raw = await AsyncRawSocket.open(self._port, on_frame=take)
        try:
            raw.say(type="auth", token=self._token(person), **self._begin(person, raw))
            self.closes.append(await raw.until_closed(None))
        finally:
            self._open.pop(person, None)
            raw.close()

    def _back_after_s(self) -> float:
        return 0.5

    def _begin(self, person: str, raw: AsyncRawSocket) -> dict[str, object]:
        """Return what `auth` says beside the token; called for each new connection."""
        return {}


class Clients(KeptOpen):
    """Clients that start at the end of their sequence with each connection."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self.seen: set[str] = set()  # events that the page was to confirm
        self.copies: set[str] = set()  # events of the person's sequence that another channel delivers
        self.frames: list[dict] = []  # what is not an event

    def _take(self, person: str, frame: dict) -> bool:
        if frame["type"] == "event":
            (self.seen if frame.get("ack_by") else self.copies).add(frame["event_id"])
            return True
        if frame["type"] != "ready":
            self.frames.append(frame)
        return False
