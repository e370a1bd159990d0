"""How many sockets an address has: exact in this process, and what the other processes say in Redis.

Each process writes its own count, good for a minute unless it writes again, so a crash leaks nothing.
"""

import asyncio
import time
from collections import Counter
from ipaddress import IPv6Address, ip_address, ip_network
from weakref import WeakKeyDictionary

from gateway.gateways import gone, this_gateway
from gateway.redis_link import redis_link
from notifications import knobs

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
        if self._own[address] <= limit and await self._others(address) + self._own[address] <= limit:
            self._write_later()
            return True
        self.leave(address)
        return False

    def leave(self, address: str) -> None:
        """One socket fewer. The others hear of it within a second or so."""
        if address in self._own:
            self._own[address] -= 1
            self._changed.add(address)

    async def _others(self, address: str) -> int:
        """Tell the others our count, and return theirs; 0 while Redis is away."""
        own_id = this_gateway().id
        counts = await redis_link().run(lambda pipe: (self._write(pipe, address), pipe.hgetall(_key(address))))
        if counts is None:
            return 0
        now = time.time()
        others = {
            gateway.decode(): int(value.split(b":")[0])
            for gateway, value in counts[-1].items()
            if gateway.decode() != own_id and float(value.split(b":")[1]) > now
        }
        if sum(others.values()) + self._own[address] > knobs.current().sockets_per_address:
            dead = await gone(others)
            others = {gateway: count for gateway, count in others.items() if gateway not in dead}
        return sum(others.values())

    def _write(self, pipe: object, address: str) -> None:
        value = f"{self._own[address]}:{time.time() + KEPT_S:.0f}"
        pipe.hset(_key(address), this_gateway().id, value)  # type: ignore[attr-defined]
        pipe.expire(_key(address), KEPT_S)  # type: ignore[attr-defined]

    def _write_later(self) -> None:
        if self._writer is None or self._writer.done():
            this_gateway().be_known()
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
                await redis_link().run(lambda pipe, part=part: [self._write(pipe, each) for each in part])
            for address in due:
                if not self._own[address] and address not in self._changed:
                    del self._own[address]


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


_addresses: WeakKeyDictionary[asyncio.AbstractEventLoop, Addresses] = WeakKeyDictionary()


def addresses() -> Addresses:
    """Return those of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _addresses:
        _addresses[loop] = Addresses()
    return _addresses[loop]
