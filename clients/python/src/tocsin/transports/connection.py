"""One HTTP connection that is kept, opened again when it has ended, through a proxy where one is set."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Dict, Optional
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from tocsin._version import __version__
from tocsin.errors import TransportError

CONNECT_S = 5.0
_LONGEST_RETRY_AFTER_S = 3600.0
_STALE = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError, ConnectionAbortedError)


@dataclass(frozen=True)
class Response:
    """One answer, read whole. Header names are in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def retry_after_s(self) -> float:
        """How long the service asked to wait, or 0: seconds, or a time of HTTP."""
        given = self.headers.get("retry-after", "").strip()
        if given.isdigit():
            return min(float(given), _LONGEST_RETRY_AFTER_S)
        try:
            wait_s = parsedate_to_datetime(given).timestamp() - time.time()
        except (TypeError, ValueError):
            return 0.0
        return min(max(wait_s, 0.0), _LONGEST_RETRY_AFTER_S)


class Connection:
    """Requests to one service, one at a time."""

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self.parts = urlsplit(url)
        if not self.parts.hostname:
            raise ValueError(f"{url!r} names no host.")
        self._prefix = self.parts.path.rstrip("/")
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._open: Optional[http.client.HTTPConnection] = None

    def request(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        """Send one request and read its answer. Raises: `TransportError`; the outcome is unknown then.

        A kept connection may have ended at the other side just now; then a new one is tried at once.
        """
        with self._lock:
            kept = self._open is not None
            try:
                return self._once(method, path, body, headers)
            except _STALE as error:
                self._drop()
                if not kept:
                    raise _unreachable(error) from error
            except (OSError, http.client.HTTPException) as error:
                self._drop()
                raise _unreachable(error) from error
            try:
                return self._once(method, path, body, headers)
            except (OSError, http.client.HTTPException) as error:
                self._drop()
                raise _unreachable(error) from error

    def _once(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        connection = self._open or self._connect()
        self._open = connection
        given = {"User-Agent": f"tocsin-client/{__version__}", "Accept": "application/json", **headers}
        connection.request(method, self._prefix + path, body=body or None, headers=given)
        answer = connection.getresponse()
        content = answer.read()
        if answer.will_close:
            self._drop()
        return Response(answer.status, content, {name.lower(): value for name, value in answer.getheaders()})

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self.parts.hostname or "", self.parts.port
        proxy = _proxy(self.parts)
        near, near_port = (proxy.hostname or "", proxy.port) if proxy else (host, port)
        connection: http.client.HTTPConnection
        if self.parts.scheme == "https":
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(near, near_port, timeout=CONNECT_S, context=context)
        else:
            connection = http.client.HTTPConnection(near, near_port, timeout=CONNECT_S)
        if proxy:
            connection.set_tunnel(host, port, headers=_proxy_headers(proxy))
        connection.connect()
        connection.sock.settimeout(self._timeout_s)
        return connection

    def _drop(self) -> None:
        connection, self._open = self._open, None
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """Close it; a request that waits for its answer ends."""
        connection = self._open
        sock = connection.sock if connection is not None else None
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        with self._lock:
            self._drop()


def _proxy(target: SplitResult) -> Optional[SplitResult]:
    """Return the proxy that the environment sets for this host, if any."""
    host = target.hostname or ""
    url = getproxies().get(target.scheme, "")
    if not url or proxy_bypass(host):
        return None
    return urlsplit(url if "//" in url else f"http://{url}")


def _proxy_headers(proxy: SplitResult) -> Dict[str, str]:
    if not proxy.username:
        return {}
    name_and_password = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(name_and_password.encode()).decode()}


def _unreachable(error: Exception) -> TransportError:
    return TransportError("unreachable", str(error) or type(error).__name__)
