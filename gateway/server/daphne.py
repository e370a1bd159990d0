"""Daphne with flow control and a gentle end: `python -m gateway.server config.asgi:application`.

It takes Daphne's options; the defaults are ours. On SIGTERM or SIGINT, within `drain_s`: accept no new
connections, send `shutdown` to each socket, send the written frames, close with 1012, handle the received
frames, end.
"""

# Daphne first: its import installs Twisted's reactor on asyncio.
from daphne.server import Server  # isort: skip

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from daphne.cli import CommandLineInterface
from twisted.internet import defer

from gateway import close_codes
from gateway.server import arrivals, flow, wire
from gateway.server.arrivals import Arrivals
from gateway.server.forwarded import client_behind
from gateway.server.http import BoundedChannel
from gateway.server.protocol import LiveProtocol
from gateway.server.shutdown import run_hooks
from gateway.settings import edge_settings
from runtime.postgres import clock

log = logging.getLogger(__name__)

FRAME_BYTES = 64 * 1024
_POLL_S = 0.02
_CLOSE_HANDSHAKE_S = 2  # a client has this long to answer a close frame; then the connection is cut


class LiveServer(Server):  # type: ignore[misc]
    """Daphne's server with our WebSocket protocol."""

    def __init__(self, application: flow.Application, **options: Any) -> None:
        super().__init__(flow.controlled(application), ready_callable=self._set_up, **options)
        self.draining = False
        self.arrivals = Arrivals(time.monotonic)
        self._ports: list[Any] = []

    def run(self) -> None:
        clock.refuse_skew()
        super().run()

    def _set_up(self) -> None:
        """Called by Daphne when its factories exist, before the first connection."""
        self.http_factory.protocol = BoundedChannel
        self.ws_factory.protocol = LiveProtocol
        # Close with 1009 and 1007 instead of cutting the connection.
        self.ws_factory.setProtocolOptions(
            failByDrop=False, closeHandshakeTimeout=_CLOSE_HANDSHAKE_S, allowNullOrigin=True
        )

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        if isinstance(protocol, LiveProtocol):
            offered = {flow.EXTENSION: protocol.flow, wire.EXTENSION: protocol.wire}
            scope["extensions"] = scope.get("extensions", {}) | offered
        elif protocol.refusal:
            scope["extensions"] = {arrivals.EXTENSION: protocol.refusal}
        client = client_behind(scope["client"], scope["headers"], proxies=edge_settings().trusted_proxies)
        return super().create_application(protocol, scope | {"client": client})

    def timeout_checker(self) -> None:
        self.arrivals.expire()
        super().timeout_checker()

    def listen_success(self, port: Any) -> None:
        self._ports.append(port)
        super().listen_success(port)

    # --- the end ----------------------------------------------------------------------------------------
    def kill_all_applications(self) -> defer.Deferred[None]:
        """Called by Daphne before the reactor stops; the reactor waits for the result."""
        return defer.Deferred.fromFuture(asyncio.ensure_future(self._drain()))

    async def _drain(self) -> None:
        self.draining = True
        deadline = time.monotonic() + edge_settings().drain_s
        for port in self._ports:
            await defer.maybeDeferred(port.stopListening).asFuture(asyncio.get_running_loop())
        await self._close_sockets(deadline)
        await _until(lambda: not self._working(), deadline)
        await run_hooks(within_s=max(1.0, deadline - time.monotonic()))
        await self._cancel(self._working())

    async def _close_sockets(self, deadline: float) -> None:
        """Announce the end, wait until frames on their way are sent and handled, and close."""
        sockets = self._sockets()
        log.info("draining", extra={"sockets": len(sockets), "working": len(self._working())})
        for protocol in sockets:
            protocol.announce_end()
        idle = lambda: not any(map(_is_busy, self._sockets()))  # noqa: E731
        await _until(idle, deadline - _CLOSE_HANDSHAKE_S)
        for protocol in self._sockets():
            protocol.serverClose(close_codes.RESTART)

    def _sockets(self) -> list[LiveProtocol]:
        """Return the open sockets."""
        return [
            protocol
            for protocol in self.connections
            if isinstance(protocol, LiveProtocol) and protocol.state == protocol.STATE_OPEN
        ]

    def _working(self) -> list["asyncio.Future[None]"]:
        """Return the running applications of requests and sockets."""
        running = (details.get("application_instance") for details in self.connections.values())
        return [application for application in running if application is not None and not application.done()]

    async def _cancel(self, working: list["asyncio.Future[None]"]) -> None:
        for application in working:
            application.cancel()
        await asyncio.gather(*working, return_exceptions=True)


def _is_busy(protocol: LiveProtocol) -> bool:
    return protocol.flow.paused or protocol.flow.queued > 0


async def _until(true: Callable[[], bool], deadline: float) -> None:
    while not true() and time.monotonic() < deadline:  # noqa: ASYNC110  the state of others has no event
        await asyncio.sleep(_POLL_S)


class CommandLine(CommandLineInterface):  # type: ignore[misc]
    """Daphne's command line with our server and our defaults."""

    server_class = LiveServer

    def __init__(self) -> None:
        super().__init__()
        self.parser.prog = "python -m gateway.server"
        self.parser.set_defaults(
            http_timeout=60,  # longer than the longest `?wait=`
            websocket_timeout=-1,  # the protocol has its own, with jitter; pings too
            websocket_max_message_size=FRAME_BYTES,
            websocket_max_frame_size=FRAME_BYTES,
            verbosity=0,
        )

    def run(self, args: list[str]) -> None:
        if any(one.startswith("--proxy-headers") for one in args):
            self.parser.error("--proxy-headers believes what any client writes: set TOCSIN_TRUSTED_PROXIES")
        super().run(args)
