"""How an HTTP request ends: with a JSON answer, cut, reset, or never."""

import asyncio
import json
import socket
import struct
from collections.abc import Mapping
from typing import Any, NoReturn

from aiohttp import web

_LINGER_ZERO = struct.pack("ii", 1, 0)


def json_answer(
    body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.StreamResponse:
    return web.Response(
        body=json.dumps(body).encode(), status=status, headers=headers, content_type="application/json"
    )


def cut(request: web.BaseRequest) -> web.StreamResponse:
    """Will close the connection without an answer; the client sees its end."""
    if request.transport is not None:
        request.transport.close()
    return web.Response()  # never written: the transport is closing


def reset(request: web.BaseRequest) -> web.StreamResponse:
    """Will abort the connection; the client sees a reset."""
    abort(request.transport)
    return web.Response()  # never written: the transport is closing


def abort(transport: asyncio.BaseTransport | None) -> None:
    """Will drop the connection with RST instead of FIN."""
    if not isinstance(transport, asyncio.Transport):
        return
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    transport.abort()


async def never() -> NoReturn:
    """Will wait until the client goes away or the simulator stops."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError("nobody resolves this future")
