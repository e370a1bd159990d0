"""The sockets of each person in all gateway processes, and how many a person may have.

Only that limit and the pages of the admin use these entries; presence itself is the subscription
(notifications/live/pubsub.py).
"""

import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass

import redis

from gateway.presence.processes import channel_of, this_process
from gateway.presence.registry import Kind, Place, Registry
from gateway.settings import edge_settings
from runtime.loops import per_loop
from runtime.postgres import clock
from runtime.redis.client import client


class TooManySockets(Exception):
    """The person has the maximum number of sockets; this one, the newest, is rejected."""


@dataclass(slots=True)
class Socket:
    """One open socket of a person. Times are Unix milliseconds."""

    id: str
    person_id: int
    device: str
    since_ms: int
    gateway_id: str
    gateway: str  # host and process, for people
    confirmed_ms: int | None = None

    @property
    def age(self) -> tuple[int, str]:
        """Sorts the oldest first; of two of the same millisecond, every process puts the same one first."""
        return (self.since_ms, self.id)


def _encode(socket: Socket, until: float) -> str:
    return json.dumps(
        {
            "device": socket.device,
            "since": socket.since_ms,
            "confirmed": socket.confirmed_ms,
            "gateway": socket.gateway,
            "until": int(until * 1000),
        }
    )


def _decode(place: Place, text: str) -> tuple[Socket, float]:
    entry = json.loads(text)
    socket = Socket(
        place.name,
        int(place.key),
        entry["device"],
        entry["since"],
        place.process_id,
        entry["gateway"],
        entry["confirmed"],
    )
    return socket, entry["until"] / 1000


_SOCKETS = Kind("tocsin:sockets", _encode, _decode)


class Presence:
    """One per event loop."""

    def __init__(self) -> None:
        self._own: dict[int, dict[str, Socket]] = defaultdict(dict)
        self._registry = Registry(_SOCKETS)

    @contextlib.asynccontextmanager
    async def entered(self, socket_id: str, person_id: int, device: str) -> AsyncIterator[Socket]:
        """Register a socket of a person while the block runs. Raises: `TooManySockets`.

        While Redis is away, only the sockets of this process count.
        """
        here, key = this_process(), str(person_id)
        here.announce()
        socket = Socket(socket_id, person_id, device, int(clock.now().timestamp() * 1000), here.id, here.name)
        self._own[person_id][socket_id] = socket
        self._registry.put(key, socket, name=socket_id)
        try:
            others = await self._registry.put_and_read_others(
                key, name=socket_id, too_many=lambda others: self._is_excess(socket, others)
            )
            if self._is_excess(socket, others):
                raise TooManySockets
            yield socket
        finally:
            del self._own[person_id][socket_id]
            if not self._own[person_id]:
                del self._own[person_id]
            self._registry.remove(key, name=socket_id)

    def _is_excess(self, socket: Socket, others: list[Socket]) -> bool:
        """Return whether the person had the maximum before this socket, with `others` in other processes."""
        own = self._own[socket.person_id].values()
        return sum(other.age < socket.age for other in [*own, *others]) >= edge_settings().sockets_per_person


def sockets_of(person_id: int) -> list[Socket] | None:
    """Return a person's sockets in all living processes, oldest first; None while Redis is away."""
    key = str(person_id)
    try:
        answer = client().hgetall(_SOCKETS.redis_key(key))
        found = sorted(_SOCKETS.parsed(key, answer).values(), key=lambda socket: socket.age)
        ids = sorted({socket.gateway_id for socket in found})
        counts = client().pubsub_numsub(*map(channel_of, ids)) if ids else []
    except redis.RedisError:
        return None
    living = {one for one, (_, count) in zip(ids, counts, strict=True) if count}
    return [socket for socket in found if socket.gateway_id in living]


@per_loop
def presence() -> Presence:
    """Return the presence of the running event loop."""
    return Presence()
