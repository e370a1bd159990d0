"""The ends of an HTTP request: a JSON answer, a closed connection, a reset, or no answer at all."""

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
    """Close the connection without an answer; the client sees end-of-file."""
    if request.transport is not None:
        request.transport.close()
    return web.Response()  # never written: the transport is closing


def reset(request: web.BaseRequest) -> web.StreamResponse:
    """Abort the connection; the client sees a reset."""
    abort(request.transport)
    return web.Response()  # never written: the transport is closing


def abort(transport: asyncio.BaseTransport | None) -> None:
    """Drop the connection with RST instead of FIN."""
    if not isinstance(transport, asyncio.Transport):
        return
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    transport.abort()


async def never() -> NoReturn:
    """Wait until the client disconnects or the simulator stops."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError("nobody resolves this future")
