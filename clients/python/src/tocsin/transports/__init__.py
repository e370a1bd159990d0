"""Ways to the service, chosen by the scheme of the URL. A new one is a module and a line here."""

from __future__ import annotations

from importlib import import_module
from typing import Dict, Tuple, Type
from urllib.parse import urlsplit

from tocsin.transports.base import Options, Transport

SCHEMES: Dict[str, Tuple[str, str]] = {
    "http": ("tocsin.transports.http", "HttpTransport"),
    "https": ("tocsin.transports.http", "HttpTransport"),
    "redis": ("tocsin.transports.redis_streams", "RedisStreamsTransport"),
    "rediss": ("tocsin.transports.redis_streams", "RedisStreamsTransport"),
}


def transport_for(url: str, options: Options) -> Transport:
    """Return the transport of a URL. Raises: ValueError, or ImportError with the extra to install."""
    scheme = urlsplit(url).scheme
    if scheme not in SCHEMES:
        raise ValueError(f"{scheme or url!r} is no way to Tocsin: use one of {', '.join(sorted(SCHEMES))}.")
    module, name = SCHEMES[scheme]
    kind: Type[Transport] = getattr(import_module(module), name)
    return kind(url, options)
