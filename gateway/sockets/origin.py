"""The Origin check: pages of `ALLOWED_HOSTS` and `CSRF_TRUSTED_ORIGINS` may open a socket."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host


def origin_allowed(scope: dict[str, Any]) -> bool:
    """Return whether the Origin is allowed. A browser always sends one; a missing one is refused."""
    origin = dict(scope["headers"]).get(b"origin", b"").decode("latin-1")
    trusted = [_host(entry).removeprefix("*") for entry in settings.CSRF_TRUSTED_ORIGINS]
    host = _host(origin)
    return bool(host) and validate_host(host, [*settings.ALLOWED_HOSTS, *trusted])


def _host(origin: str) -> str:
    """Return the host as `ALLOWED_HOSTS` writes it, without the port; "" if `origin` is malformed."""
    try:
        netloc = urlsplit(origin).netloc
    except ValueError:
        return ""
    return netloc if netloc.startswith("*") else split_domain_port(netloc)[0]
