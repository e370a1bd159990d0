"""Which pages may open a socket: those of our own hosts, and of those that the operator trusts."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host


def origin_allowed(scope: dict[str, Any]) -> bool:
    """A browser always sends Origin; without one, or from a strange host, nobody gets in."""
    origin = dict(scope["headers"]).get(b"origin", b"").decode("latin-1")
    trusted = [_host(entry).removeprefix("*") for entry in settings.CSRF_TRUSTED_ORIGINS]
    host = _host(origin)
    return bool(host) and validate_host(host, [*settings.ALLOWED_HOSTS, *trusted])


def _host(origin: str) -> str:
    """Return the host as `ALLOWED_HOSTS` writes it, without the port; "" for what is not an origin."""
    try:
        netloc = urlsplit(origin).netloc
    except ValueError:
        return ""
    return netloc if netloc.startswith("*") else split_domain_port(netloc)[0]
