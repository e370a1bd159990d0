"""How many sockets an address has: exact in this process, and what the other processes say in Redis.

Each process writes its own count, good for a minute unless it writes again, so a crash leaks nothing.
"""

import asyncio
import time
from collections import Counter
from functools import partial
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from gateway.presence.processes import gone, this_process
from notifications import knobs
from runtime.loops import per_loop
from runtime.redis.link import redis_link

KEPT_S = 60
REFRESH_S = 20
_AT_ONCE = 500


class Addresses:
    """One per event loop."""

    def __init__(self) -> None:
        self._own: Counter[str] = Counter()
        self._changed: set[str] = set()
        self._writer: asyncio.Task[None] | None = None

    async def enter(self, address: str) -> bool:
        """Count one more socket, unless the address has all that it may. `leave` follows only on True."""
        limit = knobs.current().sockets_per_address
        if not limit or not address:
            return True
        self._own[address] += 1
        self._write_later()
        entered = False
        try:
            entered = (
                self._own[address] <= limit and await self._others(address) + self._own[address] <= limit
            )
        finally:  # also for who is cancelled while waiting
            if not entered:
                self.leave(address)
        return entered

    def leave(self, address: str) -> None:
        """One socket fewer. The others hear of it within a second or so."""
        if address in self._own:
            self._own[address] -= 1
            self._changed.add(address)

    async def _others(self, address: str) -> int:
        """Tell the others our count, and return theirs; 0 while Redis is away."""

        def fill(pipe: Any) -> None:
            self._write(pipe, [address])
            pipe.hgetall(_key(address))

        counts = await redis_link().run(fill)
        if counts is None:
            return 0
        others = _parsed(counts[-1])
        others.pop(this_process().id, None)
        if sum(others.values()) + self._own[address] > knobs.current().sockets_per_address:
            dead = await gone(others)
            others = {gateway: count for gateway, count in others.items() if gateway not in dead}
        return sum(others.values())

    def _write(self, pipe: Any, addresses: list[str]) -> None:
        until = int(time.time()) + KEPT_S
        for address in addresses:
            pipe.hset(_key(address), this_process().id, f"{self._own[address]}:{until}")
            pipe.expire(_key(address), KEPT_S)

    def _write_later(self) -> None:
        if self._writer is None or self._writer.done():
            this_process().be_known()
            self._writer = asyncio.get_running_loop().create_task(self._write_on())

    async def _write_on(self) -> None:
        """Tell the others what has changed each second, and everything before it runs out."""
        ticks = 0
        while self._own:
            await asyncio.sleep(1)
            ticks += 1
            due = list(self._own) if ticks % REFRESH_S == 0 else list(self._changed)
            self._changed.clear()
            for start in range(0, len(due), _AT_ONCE):
                part = due[start : start + _AT_ONCE]
                await redis_link().run(partial(self._write, addresses=part))
            for address in due:
                if not self._own[address] and address not in self._changed:
                    del self._own[address]


def _parsed(answer: dict[bytes, bytes]) -> dict[str, int]:
    """Return the counts that are still good, by process."""
    counts, now = {}, time.time()
    for gateway_id, value in answer.items():
        count, _, until = value.decode().partition(":")
        if int(until) > now:
            counts[gateway_id.decode()] = int(count)
    return counts


def _key(address: str) -> str:
    return f"tocsin:addresses:{address}"


def address_of(client: object) -> str:
    """Return what is counted as one address: the IPv4 address, or the /64 network of IPv6.

    `client` is the ASGI scope's; behind a proxy it comes from the header if Daphne runs with
    `--proxy-headers`, and only then. "" where there is none.
    """
    if not isinstance(client, list | tuple) or not client:
        return ""
    try:
        found = ip_address(str(client[0]))
    except ValueError:
        return str(client[0])[:60]
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ip_network((found.packed[:8] + bytes(8), 64)))
    return str(found)


@per_loop
def addresses() -> Addresses:
    """Return those of the running event loop."""
    return Addresses()
