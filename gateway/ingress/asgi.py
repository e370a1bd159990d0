"""Requests that are answered before Django: their bodies, and answers to them."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse

from gateway.codec.problems import problem
from gateway.server.flow import Receive


class Gone(Exception):
    """The sender has closed the connection."""


async def read_body(receive: Receive, longest: int) -> bytes | None:
    """Return the body, or None if it is over the limit; the rest is not read then. Raises: `Gone`."""
    parts: list[bytes] = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        parts.append(message.get("body", b""))
        if sum(map(len, parts)) > longest:
            return None
        more = bool(message.get("more_body"))
    return b"".join(parts)


def refused_host(request: HttpRequest) -> HttpResponse | None:
    """Return the rejection that Django's middleware would give (host, scheme), or None."""
    try:
        request.get_host()
    except DisallowedHost:
        return problem("invalid_host", "This host is not in ALLOWED_HOSTS.", status=400)
    if settings.SECURE_SSL_REDIRECT and not request.is_secure():
        detail = "Use https, and have this key replaced: it has crossed the network in the clear."
        return problem("https_required", detail, status=403)
    return None


async def send_answer(response: HttpResponse, send: Callable[[dict[str, Any]], Any]) -> None:
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Content-Length", str(len(response.content)))
    headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in response.items()]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.content})
