"""Whose address a request has behind our proxies: nothing that the client itself can write is believed."""

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

_HEADER = b"x-forwarded-for"


def client_behind(peer: Any, headers: Iterable[tuple[bytes, bytes]], *, proxies: int) -> Any:
    """Return the ASGI `client` behind so many proxies, each of which adds the address that it sees.

    The last value is that of the nearest proxy. With fewer values than proxies, or one that is no address,
    the request took another way, and the connection's own address counts.
    """
    if not proxies:
        return peer
    values = [value for name, line in headers if name.lower() == _HEADER for value in line.split(b",")]
    address = _address(values[-proxies]) if len(values) >= proxies else ""
    return [address, 0] if address else peer


def _address(value: bytes) -> str:
    """Return the address in `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`, else ""."""
    text = value.decode("ascii", "replace").strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return ""
