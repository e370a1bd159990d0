"""What anybody can do to the gateway who can connect to it and has no key."""

import asyncio
import contextlib
import math
import threading
import time
from collections.abc import Awaitable, Callable, Iterator

import psutil

from tests.faults.edge import port_of
from tests.faults.proxy import HOST
from tests.faults.run import scenario
from tests.faults.stage import Stage

MIB = 1024 * 1024
_KEY = "Authorization: Bearer tsn_0123456789_" + "x" * 43
_CHUNK = b"10000\r\n" + b"x" * 65_536 + b"\r\n"


@scenario("S1", "endless and slow bodies, silent sockets, wrong passwords, without a key")
def bear_strangers(stage: Stage) -> None:
    child = stage.system.supervisor.children["web"]
    assert child.process is not None
    process = psutil.Process(child.process.pid)
    stage.publish(stage.scaled(500, 60), rate=30, batch=1).join(60)
    calm = process.memory_info().rss
    highest = calm
    with _attacked(stage) as attempts:
        stage.pause(2)
        since = time.time()
        honest = stage.publish(stage.scaled(6_000, 240), rate=stage.scaled(50, 20), batch=1)
        while not honest.done and time.time() - since < stage.scaled(300, 60):
            highest = max(highest, process.memory_info().rss)
            stage.pause(0.1)
        files = [one.path for one in process.open_files() if "tmp" in one.path and "faults" not in one.path]
    stage.settle()
    grown = (highest - calm) / MIB
    took = sorted(seconds for at, _, seconds in stage.diary.answered if at >= since)
    p99_s = took[math.ceil(len(took) * 0.99) - 1] if took else math.inf
    stage.figure("attempts of strangers", sum(attempts.values()), limit="≥ 100",
                 holds=sum(attempts.values()) >= 100)  # fmt: skip
    stage.figure("memory of the gateway, MiB more", grown, limit="≤ 16", holds=grown <= 16)
    stage.figure("honest publish, p99 s", f"{p99_s:.3f}", limit="< 1", holds=p99_s < 1)
    stage.figure("files of bodies", len(files), limit="0", holds=not files)


@contextlib.contextmanager
def _attacked(stage: Stage) -> Iterator[dict[str, int]]:
    """Let strangers try all of it, from a thread, while the block runs; count their attempts."""
    attempts: dict[str, int] = {}
    stopping = threading.Event()
    strangers = _strangers(stage, attempts)
    thread = threading.Thread(target=lambda: asyncio.run(_until(stopping, strangers)), daemon=True)
    thread.start()
    try:
        yield attempts
    finally:
        stopping.set()
        thread.join(20)


async def _until(stopping: threading.Event, attacks: list[Callable[[], Awaitable[None]]]) -> None:
    tasks = [asyncio.create_task(_again(attack)) for attack in attacks]
    await asyncio.to_thread(stopping.wait)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _again(attack: Callable[[], Awaitable[None]]) -> None:
    while True:
        with contextlib.suppress(OSError, TimeoutError):
            await attack()
        await asyncio.sleep(0.2)


def _strangers(stage: Stage, attempts: dict[str, int]) -> list[Callable[[], Awaitable[None]]]:
    port = port_of(stage)

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

    many = stage.scaled(4, 1)
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
