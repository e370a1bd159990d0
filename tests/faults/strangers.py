"""Strangers who try what costs a gateway: `python -m tests.faults.strangers PORT MANY`.

A process of its own, so that honest producers share no interpreter with it. It prints its attempts so far.
"""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable

from tests.faults.proxy import HOST

_KEY = "Authorization: Bearer tsn_0123456789_" + "x" * 43
_CHUNK = b"10000\r\n" + b"x" * 65_536 + b"\r\n"


async def _try_all(port: int, many: int) -> None:
    attempts: dict[str, int] = {}
    tasks = [asyncio.create_task(_again(attack)) for attack in _strangers(port, many, attempts)]
    while tasks:
        await asyncio.sleep(1)
        print(sum(attempts.values()), flush=True)


async def _again(attack: Callable[[], Awaitable[None]]) -> None:
    while True:
        with contextlib.suppress(OSError, TimeoutError):
            await attack()
        await asyncio.sleep(0.2)


def _strangers(port: int, many: int, attempts: dict[str, int]) -> list[Callable[[], Awaitable[None]]]:
    def one(name: str, first: bytes, piece: bytes, every_s: float) -> Callable[[], Awaitable[None]]:
        async def attack() -> None:
            attempts[name] = attempts.get(name, 0) + 1
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                async with asyncio.timeout(20):
                    await _send_on(reader, writer, first, piece, every_s)
            finally:
                writer.transport.abort()

        return attack

    return [
        *[one("endless, no key", _head("/api/v1/events/batch", _CHUNKED), _CHUNK, 0.01)] * 2 * many,
        *[one("endless, wrong key", _head("/api/v1/events/batch", _CHUNKED, _KEY), _CHUNK, 0.01)] * 2 * many,
        *[one("endless form", _head("/login/", _CHUNKED), _CHUNK, 0.01)] * 2 * many,
        *[one("declared", _head("/admin/login/", "Content-Length: 1000000000"), _CHUNK, 0.01)] * 2 * many,
        *[one("upgrade", _head("/ws", "Upgrade: websocket", _CHUNKED), _CHUNK, 0.01)] * many,
        *[one("slow", _head("/login/", "Content-Length: 200000"), b"x" * 1_000, 0.5)] * 50 * many,
        *[one("silent", b"", b"", 1.0)] * 100 * many,
        *[one("slow head", b"GET / HTTP/1.1\r\n", b"X-A: b\r\n", 0.5)] * 50 * many,
        *[one("passwords", _wrong_password(), b"", 1.0)] * 10 * many,
    ]


_CHUNKED = "Transfer-Encoding: chunked"


def _head(path: str, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", f"Host: {HOST}", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def _wrong_password() -> bytes:
    token = "a" * 32
    body = f"csrfmiddlewaretoken={token}&username=p1&password=wrong".encode()
    head = _head("/login/", f"Cookie: csrftoken={token}", f"Content-Length: {len(body)}", "Connection: close")
    return head.replace(b"application/json", b"application/x-www-form-urlencoded") + body


async def _send_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes, piece: bytes, every_s: float
) -> None:
    """Send until the server closes; a stranger does not read the answer."""
    writer.write(first)
    while not reader.at_eof():
        if piece:
            writer.write(piece)
            await writer.drain()
        await asyncio.sleep(every_s)


if __name__ == "__main__":
    asyncio.run(_try_all(int(sys.argv[1]), int(sys.argv[2])))
