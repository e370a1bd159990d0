"""Entries that gateway processes share in Redis: a hash for each key, a field for each entry.

An entry is valid for a minute after its process last wrote it, so the entries of a killed process expire.
Each process also keeps its own entries in memory and does not depend on Redis for them.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from gateway.presence.processes import gone, this_process
from runtime.postgres import clock
from runtime.redis.link import redis_link

_VALID_S = 60
_REFRESH_S = 20  # each second one in so many entries is written again, which spreads the load
_BATCH = 500

Entry = TypeVar("Entry")


class Place(NamedTuple):
    """Where an entry is. A process may have several entries for a key, each with a `name`."""

    key: str
    process_id: str
    name: str = ""

    @property
    def field(self) -> str:
        return f"{self.process_id}.{self.name}" if self.name else self.process_id


@dataclass(frozen=True, slots=True)
class Kind(Generic[Entry]):
    """What one kind of entry looks like in Redis. Times are Unix seconds."""

    prefix: str
    encode: Callable[[Entry, float], str]  # with the time until which it is valid
    decode: Callable[[Place, str], tuple[Entry, float]]

    def redis_key(self, key: str) -> str:
        return f"{self.prefix}:{key}"

    def parsed(self, key: str, answer: Mapping[bytes, bytes]) -> dict[Place, Entry]:
        """Return the valid entries of a hash."""
        found, now = {}, clock.now().timestamp()
        for field, text in answer.items():
            process_id, _, name = field.decode().partition(".")
            place = Place(key, process_id, name)
            entry, until = self.decode(place, text.decode())
            if until > now:
                found[place] = entry
        return found


class Registry(Generic[Entry]):
    """This process's entries of one kind. One per event loop."""

    def __init__(self, kind: Kind[Entry]) -> None:
        self._kind = kind
        self._turns: list[dict[Place, Entry]] = [{} for _ in range(_REFRESH_S)]
        self._changed: set[Place] = set()
        self._writer: asyncio.Task[None] | None = None

    def put(self, key: str, entry: Entry, *, name: str = "") -> None:
        """Add or replace an entry; it is written within a second, or at once by `put_and_read_others`."""
        place = Place(key, this_process().id, name)
        self._turn(place)[place] = entry
        self._write_later(place)

    def remove(self, key: str, *, name: str = "") -> None:
        """Remove an entry; from Redis within a second."""
        place = Place(key, this_process().id, name)
        self._turn(place).pop(place, None)
        self._write_later(place)

    async def put_and_read_others(
        self, key: str, *, name: str = "", too_many: Callable[[list[Entry]], bool]
    ) -> list[Entry]:
        """Write an entry; return the entries of other processes for its key, none while Redis is away.

        Killed processes are looked for only if there are `too_many`, as it takes one more round trip; their
        entries are removed.
        """
        place = Place(key, this_process().id, name)
        self._changed.discard(place)

        def fill(pipe: Any) -> None:
            self._write(pipe, [place])
            pipe.hgetall(self._kind.redis_key(key))

        answers = await redis_link().run(fill)
        if answers is None:
            return []
        found = self._kind.parsed(key, answers[-1])
        others = {at: entry for at, entry in found.items() if at.process_id != place.process_id}
        if others and too_many(list(others.values())):
            dead = await gone(at.process_id for at in others)
            if removed := [at.field for at in others if at.process_id in dead]:
                await redis_link().run(lambda pipe: pipe.hdel(self._kind.redis_key(key), *removed))
            others = {at: entry for at, entry in others.items() if at.process_id not in dead}
        return list(others.values())

    def _turn(self, place: Place) -> dict[Place, Entry]:
        return self._turns[hash(place) % _REFRESH_S]

    def _write(self, pipe: Any, places: list[Place]) -> None:
        until = clock.now().timestamp() + _VALID_S
        for place in places:
            key, entry = self._kind.redis_key(place.key), self._turn(place).get(place)
            if entry is None:
                pipe.hdel(key, place.field)
            else:
                pipe.hset(key, place.field, self._kind.encode(entry, until))
                pipe.expire(key, _VALID_S)

    def _write_later(self, place: Place) -> None:
        self._changed.add(place)
        if self._writer is None or self._writer.done():
            this_process().announce()
            self._writer = asyncio.get_running_loop().create_task(self._write_on())

    async def _write_on(self) -> None:
        """Each second, write what has changed and refresh a part of the rest."""
        second = 0
        while self._changed or any(self._turns):
            await asyncio.sleep(1)
            second += 1
            due = list(self._changed.union(self._turns[second % _REFRESH_S]))
            self._changed.clear()
            for start in range(0, len(due), _BATCH):
                await redis_link().run(partial(self._write, places=due[start : start + _BATCH]))
