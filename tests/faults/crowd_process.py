"""Many sockets, well-behaved and not: `python -m tests.faults.crowd_process <plan.json> <log>`.

The plan has `port` and `members`: `person`, `token`, `role`. Lines on stdin command it: `go` (misbehave),
`calm` (everybody reads), `stop`. The log has one JSON object a line for what each member saw.
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TextIO

from tests.kit.raw_websocket import AsyncRawSocket, Refused, client_frame

_ACK_EVERY_S = 0.25  # ids are collected: an ack for each event would be a flood
_LOOK_EVERY_S = 0.1
_PER_ADDRESS = 40
_PING = client_frame(b'{"type":"ping"}')


class Crowd:
    def __init__(self, plan: dict, log: TextIO) -> None:
        self.plan = plan
        self._log = log
        self.going = asyncio.Event()
        self.calm = asyncio.Event()
        self._connecting = asyncio.Semaphore(20)

    def note(self, what: str, person: str, **more: object) -> None:
        self._log.write(json.dumps({"what": what, "person": person, "at": time.time(), **more}) + "\n")

    async def run(self) -> None:
        asyncio.get_running_loop().create_task(self._flush())
        members = [Member(self, number, member) for number, member in enumerate(self.plan["members"])]
        await asyncio.gather(*(member.live() for member in members))

    async def connect(self, member: "Member") -> AsyncRawSocket:
        async with self._connecting:
            return await AsyncRawSocket.signed_in(
                self.plan["port"],
                member.token,
                resume=member.resume,
                source=f"127.0.0.{2 + member.number // _PER_ADDRESS % 250}",
                on_frame=lambda _, frame: member.take(frame),
            )

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(0.2)
            self._log.flush()


class Member:
    """One person with one socket, opened again whenever it closes."""

    def __init__(self, crowd: Crowd, number: int, given: dict) -> None:
        self.number = number
        self.token = given["token"]
        self.resume: dict | None = None
        self._crowd = crowd
        self._person = given["person"]
        self._misbehave = _ROLES[given["role"]]
        self._role = given["role"]
        self._to_ack: list[str] = []

    def take(self, frame: dict) -> None:
        if frame["type"] == "ready":
            if not frame["recovered"]:
                self.resume = {"seq": frame["seq"], "epoch": frame["epoch"]}
        elif frame["type"] == "event":
            sent_ms = frame["payload"].get("sent_ms", 0)
            took_s = time.time() - sent_ms / 1000
            awaited = "ack_by" in frame  # else it has ended elsewhere, and this is the inbox's copy
            self._crowd.note(
                "event", self._person, event_id=frame["event_id"], took_s=took_s, awaited=awaited
            )
            if "seq" in frame and self.resume is not None and not frame.get("repeat"):
                self.resume["seq"] = max(self.resume["seq"], frame["seq"])
            self._to_ack.append(frame["event_id"])
        elif frame["type"] in ("error", "shutdown"):
            self._crowd.note(frame["type"], self._person, code=frame.get("code", ""))

    async def live(self) -> None:
        while True:
            try:
                client = await self._crowd.connect(self)
            except (Refused, OSError, TimeoutError) as error:
                self._crowd.note("refused", self._person, error=type(error).__name__)
                await asyncio.sleep(1)
                continue
            self._crowd.note("ready", self._person)
            await self._use(client)
            client.cut()

    async def _use(self, client: AsyncRawSocket) -> None:
        """Read and confirm until it is time to misbehave; do so once, and come again."""
        while client.closed is None:
            if self._role != "reader" and self._crowd.going.is_set() and not self._crowd.calm.is_set():
                started = time.time()
                code = await self._misbehave(self._crowd, client)
                if code:
                    self._crowd.note("closed", self._person, code=code, after_s=time.time() - started)
                    await asyncio.sleep(1)
                return
            if self._to_ack:
                client.say(type="ack", event_ids=self._to_ack[:400])
                del self._to_ack[:400]
            await asyncio.sleep(_ACK_EVERY_S)
        self._crowd.note("closed", self._person, code=client.closed, after_s=0)


async def read_nothing(
    crowd: Crowd, client: AsyncRawSocket, each_turn: Callable[[], None] = lambda: None
) -> int:
    """Return the close code once the server has cut the connection, or 0 if the crowd became calm first."""
    client.stop_reading()
    while not client.is_cut():
        if crowd.calm.is_set():
            return 0
        each_turn()
        await asyncio.sleep(_LOOK_EVERY_S)
    client.read_again()  # the close frame may be there, after the unread data
    return await client.until_closed(5)


async def write_and_read_nothing(crowd: Crowd, client: AsyncRawSocket) -> int:
    return await read_nothing(crowd, client, lambda: client.write(_PING))


async def flood(crowd: Crowd, client: AsyncRawSocket) -> int:
    """Write 1,000 frames a second until the connection is closed."""
    while client.closed is None:
        client.write(_PING * 20)
        await asyncio.sleep(0.02)
    return client.closed


def allow_open_files(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


_ROLES: dict[str, Callable[[Crowd, AsyncRawSocket], Awaitable[int]]] = {
    "reader": read_nothing,  # never asked to
    "slow": read_nothing,
    "writer": write_and_read_nothing,
    "flooder": flood,
}


async def main(plan: dict, log: Path) -> None:
    loop = asyncio.get_running_loop()
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    with log.open("w", buffering=1 << 16) as output:
        crowd = Crowd(plan, output)
        allow_open_files(len(crowd.plan["members"]) + 100)
        running = loop.create_task(crowd.run())
        while (command := (await commands.readline()).strip()) and command != b"stop":
            {b"go": crowd.going, b"calm": crowd.calm}[command].set()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])))
