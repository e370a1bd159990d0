"""The Origin check: which pages may open a socket, and which of them may sign in by browser session.

For sessions the same rule as Django's CSRF check: scheme, host and port. Another port of the same host is
another program. Pages that `CORS_ALLOWED_ORIGINS` names sign in with a token or a ticket.
"""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host
from django.utils.http import is_same_domain

from gateway.auth.origins import tokens_allowed

Headers = dict[bytes, bytes]


def origin_allowed(scope: dict[str, Any]) -> bool:
    """Return whether the Origin is allowed.

    A browser always sends one. A client without one is no page: it signs in with a token or a ticket alone.
    """
    if b"origin" not in dict(scope["headers"]):
        return True
    return session_allowed(scope) or tokens_allowed(_text(dict(scope["headers"]), b"origin"))


def session_allowed(scope: dict[str, Any]) -> bool:
    """Return whether a page of this Origin may sign in by its cookie."""
    headers: Headers = dict(scope["headers"])
    origin = _text(headers, b"origin")
    return bool(origin) and (origin == _own_origin(scope, headers) or _is_trusted(origin))


def _own_origin(scope: dict[str, Any], headers: Headers) -> str:
    """Return the Origin of this server's pages, as the client addressed it; "" if the host is not ours."""
    host = _text(headers, b"host")
    if not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS):
        return ""
    return f"{'https' if _is_secure(scope, headers) else 'http'}://{host}"


def _is_secure(scope: dict[str, Any], headers: Headers) -> bool:
    """Return whether the page came over TLS, which may end at a trusted proxy."""
    if settings.SECURE_PROXY_SSL_HEADER:
        name, secure = settings.SECURE_PROXY_SSL_HEADER
        forwarded = _text(headers, name.removeprefix("HTTP_").replace("_", "-").lower().encode())
        if forwarded:
            return forwarded.partition(",")[0].strip() == secure
    return bool(scope.get("scheme") == "wss")


def _is_trusted(origin: str) -> bool:
    """Return whether `CSRF_TRUSTED_ORIGINS` has this Origin, or a pattern such as `https://*.example.com`."""
    return any(origin == entry or _matches(origin, entry) for entry in settings.CSRF_TRUSTED_ORIGINS)


def _matches(origin: str, entry: str) -> bool:
    try:
        given, pattern = urlsplit(origin), urlsplit(entry)
    except ValueError:
        return False
    is_pattern = pattern.netloc.startswith("*.")
    return is_pattern and given.scheme == pattern.scheme and is_same_domain(given.netloc, pattern.netloc[1:])


def _text(headers: Headers, name: bytes) -> str:
    return headers.get(name, b"").decode("latin-1").lower()
