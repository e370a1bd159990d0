"""HTTP to addresses that others name: never to this host or its network, whatever a name resolves to.

A name is resolved once for each connection, and refused unless every one of its addresses is global. The
connection goes to such an address with the name's own Host and SNI, so that a second answer of the DNS
changes nothing. No redirects, no proxies of the environment. Hosts that the operator names may be private.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

_ANSWER_BYTES = 65_536
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class NotPublic(Exception):
    """The URL is not one of a public host. The text says why, for the one who named it."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    retry_after_s: int = 0


def check_url(url: str, *, private_hosts: Collection[str] = ()) -> None:
    """Raise `NotPublic` unless it is https on port 443 of a public host, or of one of `private_hosts`.

    `private_hosts` are names or addresses, each with its port unless that is the scheme's own. What a name
    resolves to is looked at when a connection is made.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise NotPublic("This is no URL.") from error
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"} or not host or parts.username is not None or parts.fragment:
        raise NotPublic("Give a URL such as https://hooks.example.com/acks, without user name and fragment.")
    if _named(parts.netloc.lower(), private_hosts):
        return
    if parts.scheme != "https" or port not in {None, 443}:
        raise NotPublic("Give an https URL on port 443.")
    if "." not in host and ":" not in host:
        raise NotPublic("Give the whole name of the host.")
    if (address := _address(host)) is not None and not is_global(address):
        raise NotPublic("Give a host that is reached over the internet.")


def _named(netloc: str, private_hosts: Collection[str]) -> bool:
    return netloc in {host.lower() for host in private_hosts}


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:  # forms such as 127.1 and 0x7f000001, which the system's resolver takes for addresses
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def is_global(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Return whether the address is one of the public internet, also where it wraps an IPv4 address."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_global(inner)
    return address.is_global and not address.is_multicast


class _PublicResolver(AbstractResolver):
    """Resolves names, and refuses those with an address that is not global."""

    def __init__(self) -> None:
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if not found or any(not is_global(ipaddress.ip_address(_plain(one["host"]))) for one in found):
            raise NotPublic("The host has an address that is not reached over the internet.")
        return found

    async def close(self) -> None:
        await self._resolver.close()


def _plain(address: str) -> str:
    return address.partition("%")[0]  # without the scope of a link-local address


async def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    private_hosts: Collection[str] = (),
    timeout_s: float,
) -> Answer:
    """Post once and return the status. Raises: `NotPublic`, `aiohttp.ClientError`, `TimeoutError`."""
    check_url(url, private_hosts=private_hosts)
    private = _named(urlsplit(url).netloc.lower(), private_hosts)
    options: dict[str, Any] = {} if private else {"resolver": _PublicResolver()}
    connector = aiohttp.TCPConnector(force_close=True, use_dns_cache=False, **options)
    async with (
        asyncio.timeout(timeout_s),
        aiohttp.ClientSession(connector=connector, trust_env=False) as session,
        session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
    ):
        await answer.content.read(_ANSWER_BYTES)
        return Answer(answer.status, _seconds(answer.headers.get("Retry-After", "")))


def _seconds(text: str) -> int:
    return int(text[:6]) if text.isascii() and text.isdigit() else 0
