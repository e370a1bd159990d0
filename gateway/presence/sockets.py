"""The sockets of this process as entries in the registry, and how many a person may have."""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

from gateway.presence import registry
from gateway.presence.processes import gone, this_process
from gateway.presence.registry import Socket
from notifications import knobs
from runtime.loops import per_loop
from runtime.redis.link import redis_link

_REFRESH_S = 20  # each second one in so many sockets is written again, so that no second is a heavy one


class TooManySockets(Exception):
    """The person has all the sockets they may have; this one, the newest, is refused."""


class Presence:
    """One per event loop."""

    def __init__(self) -> None:
        self._own: dict[int, dict[str, Socket]] = defaultdict(dict)
        self._turns: list[dict[str, Socket]] = [{} for _ in range(_REFRESH_S)]
        self._gone: list[Socket] = []
        self._task: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def entered(self, socket_id: str, person_id: int, device: str) -> AsyncIterator[Socket]:
        """Show a socket of a person while the block runs. Raises: `TooManySockets`.

        When Redis is away, only the sockets of this process count.
        """
        here = this_process()
        here.be_known()
        socket = Socket(socket_id, person_id, device, int(time.time() * 1000), here.id, here.name)
        turn = self._turns[hash(socket_id) % _REFRESH_S]
        self._own[person_id][socket_id] = socket
        turn[socket_id] = socket
        try:
            if await self._rank(socket) >= knobs.current().sockets_per_person:
                raise TooManySockets
            yield socket
        finally:
            del turn[socket_id]
            del self._own[person_id][socket_id]
            if not self._own[person_id]:
                del self._own[person_id]
            self._gone.append(socket)
            self._write_later()

    async def _rank(self, socket: Socket) -> int:
        """Write the entry; return how many sockets the person had before. Of two at once one is later."""

        def fill(pipe: Any) -> None:
            registry.write(pipe, socket)
            registry.read(pipe, socket.person_id)

        answers = await redis_link().run(fill)
        self._write_later()
        others: list[Socket] = []
        if answers is not None:
            found = registry.parsed(socket.person_id, answers[-1])
            others = [other for other in found if other.gateway_id != socket.gateway_id]
        if others and self._before(socket, others) >= knobs.current().sockets_per_person:
            dead = await gone(other.gateway_id for other in others)
            await redis_link().run(
                lambda pipe: registry.remove(pipe, [other for other in others if other.gateway_id in dead])
            )
            others = [other for other in others if other.gateway_id not in dead]
        return self._before(socket, others)

    def _before(self, socket: Socket, others: list[Socket]) -> int:
        """Count who came before: ours as we know them, those of other processes as they wrote them."""
        own = list(self._own[socket.person_id].values())
        place = (socket.since_ms, socket.id)
        return sum((other.since_ms, other.id) < place for other in [*own, *others])

    def _write_later(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._write_on())

    async def _write_on(self) -> None:
        """Each second: take out who has left, and write one part of the others again."""
        second = 0
        while self._own or self._gone:
            await asyncio.sleep(1)
            second += 1
            left, self._gone = self._gone, []
            due = list(self._turns[second % _REFRESH_S].values())

            def fill(pipe: Any, left: list[Socket] = left, due: list[Socket] = due) -> None:
                registry.remove(pipe, left)
                for socket in due:
                    registry.write(pipe, socket)

            if left or due:
                await redis_link().run(fill)


@per_loop
def presence() -> Presence:
    """Return that of the running event loop."""
    return Presence()
