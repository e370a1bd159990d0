"""Clients with open sockets: they note every event that they see, and confirm it or never do."""

import asyncio
import json
import threading
from collections.abc import Callable

import aiohttp

from tests.faults.keep_connected import keep_connected


class Clients:
    """One socket for each person, opened again whenever it closes. Runs in a thread of its own."""

    def __init__(
        self, url: str, persons: list[str], token: Callable[[str], str], *, confirming: bool = True
    ) -> None:
        self.seen: set[str] = set()  # events that the page was to confirm
        self.copies: set[str] = set()  # events of the person's sequence that another channel delivers
        self.closes: list[int | None] = []
        self.frames: list[dict] = []  # what is not an event
        self._url = f"{url}/ws/native"
        self._persons = persons
        self._token = token
        self._confirming = confirming
        self._open: set[str] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def start(self) -> "Clients":
        self._thread.start()
        return self

    def all_open(self) -> bool:
        return len(self._open) == len(self._persons)

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(10)

    async def _run(self) -> None:
        stopped = asyncio.to_thread(self._stopping.wait)
        await keep_connected(self._persons, self._connect, until=stopped, back_after_s=lambda: 0.5)

    async def _connect(self, session: aiohttp.ClientSession, person: str) -> None:
        try:
            async with session.ws_connect(self._url, timeout=aiohttp.ClientWSTimeout(ws_close=2)) as socket:
                await socket.send_json({"type": "auth", "token": self._token(person)})
                async for message in socket:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        await self._take(socket, person, json.loads(message.data))
                self.closes.append(socket.close_code)
        finally:
            self._open.discard(person)

    async def _take(self, socket: aiohttp.ClientWebSocketResponse, person: str, frame: dict) -> None:
        if frame["type"] == "ready":
            self._open.add(person)
        elif frame["type"] == "event":
            (self.seen if frame.get("ack_by") else self.copies).add(frame["event_id"])
            if self._confirming:
                await socket.send_json({"type": "ack", "event_ids": [frame["event_id"]]})
        else:
            self.frames.append(frame)
