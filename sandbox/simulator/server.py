"""The server: one HTTP port, one SMTP port, one log, one set of faults."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

from sandbox.simulator.connection import json_answer
from sandbox.simulator.control import Control
from sandbox.simulator.faults import Faults
from sandbox.simulator.log import Log
from sandbox.simulator.mail import MailServer
from sandbox.simulator.sink import Sink
from sandbox.simulator.telegram import TelegramApi
from sandbox.simulator.telegram_memory import Telegram
from sandbox.simulator.telegram_person import Person

# An open long poll or a hanging request must not delay the shutdown.
_SHUTDOWN_TIMEOUT_S = 0.2


class Ports(NamedTuple):
    http: int
    smtp: int


async def serve(host: str, ports: Ports, *, log_path: Path | None, on_start: Callable[[Ports], None]) -> None:
    """Serve until SIGTERM or SIGINT; `on_start` is called with the bound ports."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    log = Log(path=log_path)
    try:
        async with _listening(host, ports, log) as bound:
            on_start(bound)
            await stop.wait()
    finally:
        log.close()


@asynccontextmanager
async def _listening(host: str, ports: Ports, log: Log) -> AsyncIterator[Ports]:
    faults = Faults()
    # No routing table and no access log: the simulator must be faster than the system under test.
    front = web.Server(_front(faults, log), access_log=None, handler_cancellation=True)
    runner = web.ServerRunner(front, shutdown_timeout=_SHUTDOWN_TIMEOUT_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, ports.http).start()
        mail = MailServer(faults, log)
        smtp = await asyncio.get_running_loop().create_server(mail.protocol, host, ports.smtp)
        try:
            yield Ports(http=runner.addresses[0][1], smtp=smtp.sockets[0].getsockname()[1])
        finally:
            smtp.close()
    finally:
        await runner.cleanup()


def _front(faults: Faults, log: Log) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
    memory = Telegram()
    telegram, sink = TelegramApi(faults, log, memory), Sink(faults, log)
    control = Control(faults, log, Person(memory))

    async def front(request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        if path.startswith("/bot"):
            return await telegram(request)
        if path.startswith("/sink/"):
            return await sink(request)
        if path.startswith("/control/"):
            return await control(request)
        if path == "/healthz":
            return json_answer({"ok": True})
        return json_answer({"error": f"nothing lives at {path}"}, status=404)

    return front
