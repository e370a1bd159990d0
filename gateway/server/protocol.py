"""Daphne's WebSocket protocol with limits: floods, clients that do not read, pings, and every close code.

Daphne never stops reading or writing, and any byte from a client keeps its connection alive. Here a socket is
closed if it sends too much, does not read, or does not answer a ping.
"""

import asyncio
import random
import secrets
import time
from typing import Any

from autobahn.websocket.types import ConnectionDeny
from daphne.ws_protocol import WebSocketProtocol
from prometheus_client import Counter

from gateway import close_codes
from gateway.server.flow import QUEUED_BYTES, FlowControl
from gateway.server.transport import bound_buffers
from gateway.server.wire import Wired
from gateway.settings import edge_settings
from notifications.live import pubsub
from runtime.token_bucket import TokenBucket

CLOSED = Counter("tocsin_sockets_closed_total", "Sockets that this side closed", ["code"])
# RFC 6455, 7.4.1, and the IANA registry: codes that a server may send and the library rejects.
STANDARD_CODES = frozenset({1001, 1008, 1009, 1011, 1012, 1013})
_CUT_AFTER_S = 1.0
_LIFE_JITTER = 0.1  # of a socket's life, so that not all clients reconnect at once

_SOCKET_BUFFER_BYTES = 32 * 1024  # written and not taken by the client; above it events wait in Postgres

_RECONNECT_WITHIN_S = 5.0  # clients of a stopping process reconnect within this, spread evenly


class LiveProtocol(Wired, WebSocketProtocol):  # type: ignore[misc]
    """One socket. `flow` is also in its ASGI scope."""

    flow: FlowControl
    _deaf = False  # further data from the client is ignored

    # --- its life ---------------------------------------------------------------------------------------
    def onConnect(self, request: Any) -> Any:  # noqa: N802  the library's name, as all below
        server = self.factory.server_class
        if server.draining:
            raise ConnectionDeny(503, "This process is about to end; connect again.")  # type: ignore[no-untyped-call]
        settings, now = edge_settings(), time.monotonic()
        self.flow = FlowControl(self.transport)
        self._bucket = TokenBucket(settings.socket_frames_per_s, settings.socket_frames_burst, now)
        self._ping = b""  # the unanswered one
        self._pinged_at = now
        self._retires_at = now + settings.socket_life_s * (1 - _LIFE_JITTER * random.random())  # noqa: S311
        return super().onConnect(request)

    def onOpen(self) -> None:  # noqa: N802
        bound_buffers(self.transport, self.flow, _SOCKET_BUFFER_BYTES)
        super().onOpen()

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:  # noqa: N802, N803
        if hasattr(self, "flow"):
            self.flow.gone = True
        if hasattr(self, "server"):  # else the handshake failed before Daphne knew of it
            super().onClose(wasClean, code, reason)

    # --- incoming ---------------------------------------------------------------------------------------
    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """Take no more than a few frames before the handshake is answered: the library keeps all of them."""
        if self.state == self.STATE_CONNECTING and len(self.data) + len(data) > QUEUED_BYTES:
            self.transport.abortConnection()
        else:
            super().dataReceived(data)

    def processData(self) -> bool:  # noqa: N802
        """Parse the next piece, or ignore it after a flood, which then costs nothing."""
        return not self._deaf and bool(super().processData())

    def onFrameBegin(self) -> None:  # noqa: N802
        """Count every frame, also pings and parts of messages, because each costs time."""
        super().onFrameBegin()
        if self.state == self.STATE_OPEN and not self._bucket.take(time.monotonic()):
            self._flooded()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N802, N803
        self.flow.queue(len(payload))
        super().onMessage(payload, isBinary)

    def onPong(self, payload: bytes) -> None:  # noqa: N802
        if payload == self._ping:
            self._ping = b""

    def _flooded(self) -> None:
        settings = edge_settings()
        limit = (
            f"At most {settings.socket_frames_per_s} frames a second, {settings.socket_frames_burst} at once."
        )
        self.say(pubsub.frame("error", code="flooding", detail=limit))
        self.serverClose(close_codes.FLOODING)
        self._deaf = True
        self.flow.stop_listening()
        # The answer to our close frame will not be read.
        asyncio.get_running_loop().call_later(_CUT_AFTER_S, self.dropConnection, True)

    # --- outgoing ---------------------------------------------------------------------------------------
    def say(self, frame: bytes) -> None:
        """Send a text frame that does not come from the application."""
        self.serverSend(frame.decode())

    def retire(self) -> None:
        """Ask the client to connect again, and close. Frames written before are sent first."""
        self.announce_end()
        self.serverClose(close_codes.RESTART)

    def announce_end(self) -> None:
        """Send the time to reconnect: a random one for each client."""
        within_ms = _RECONNECT_WITHIN_S * 1000
        self.say(pubsub.frame("shutdown", reconnect_after_ms=round(random.uniform(0, within_ms))))  # noqa: S311

    def serverClose(self, code: int | None = None) -> None:  # noqa: N802
        CLOSED.labels(code or 1000).inc()
        if code in STANDARD_CODES:
            self.sendCloseFrame(code=code)
        else:
            super().serverClose(code)

    # --- time -------------------------------------------------------------------------------------------
    def check_timeouts(self) -> None:
        """Called every two seconds."""
        if self.state != self.STATE_OPEN:
            super().check_timeouts()
            return
        now = time.monotonic()
        if self.flow.paused and now - self.flow.full_since > edge_settings().slow_close_s:
            self.serverClose(close_codes.SLOW)
        elif now > self._retires_at:
            self.retire()
        elif self._ping:
            self._check_pong(now)
        elif now - self._pinged_at > edge_settings().ping_every_s:
            self._ping, self._pinged_at = secrets.token_bytes(8), now
            self.sendPing(self._ping)

    def _check_pong(self, now: float) -> None:
        """Only the answer to the ping counts, because a client may send data and never read."""
        if self.flow.behind:
            self._pinged_at = now  # the delay is ours: we do not read
        elif now - self._pinged_at > edge_settings().pong_within_s:
            self.serverClose(close_codes.SLOW)
