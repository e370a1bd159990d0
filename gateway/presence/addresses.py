"""How many sockets an address has: exact in this process, and as the other processes report in Redis."""

from collections import Counter
from functools import partial
from ipaddress import IPv6Address, ip_address, ip_network

from gateway.presence.registry import Kind, Place, Registry
from gateway.settings import edge_settings
from runtime.loops import per_loop


def _encode(count: int, until: float) -> str:
    return f"{count}:{int(until)}"


def _decode(place: Place, text: str) -> tuple[int, float]:
    count, _, until = text.partition(":")
    return int(count), int(until)


class Addresses:
    """One per event loop."""

    def __init__(self) -> None:
        self._own: Counter[str] = Counter()
        self._registry = Registry(Kind("tocsin:addresses", _encode, _decode))

    async def enter(self, address: str) -> bool:
        """Count one more socket, unless the address has the maximum. Call `leave` only after True."""
        limit = edge_settings().sockets_per_address
        if not limit or not address:
            return True
        too_many = partial(self._is_excess, address)
        self._change(address, 1)
        entered = False
        try:
            entered = not too_many([]) and not too_many(
                await self._registry.put_and_read_others(address, too_many=too_many)
            )
        finally:  # also if the task is cancelled meanwhile
            if not entered:
                self.leave(address)
        return entered

    def leave(self, address: str) -> None:
        """Count one socket less. The other processes see it about a second later."""
        if address in self._own:
            self._change(address, -1)

    def _is_excess(self, address: str, others: list[int]) -> bool:
        return self._own[address] + sum(others) > edge_settings().sockets_per_address

    def _change(self, address: str, by: int) -> None:
        self._own[address] += by
        if self._own[address]:
            self._registry.put(address, self._own[address])
        else:
            del self._own[address]
            self._registry.remove(address)


def address_of(client: object) -> str:
    """Return what counts as one address: the IPv4 address, or the /64 network of IPv6; "" if there is none.

    `client` is that of the ASGI scope; `TOCSIN_TRUSTED_PROXIES` says whether a proxy's header counts.
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
    """Return the addresses of the running event loop."""
    return Addresses()
