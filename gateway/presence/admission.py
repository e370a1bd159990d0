"""Who may open a socket at all: asked before a session is looked up or a consumer is made.

A socket waits for its turn and for a place among the unauthenticated, which it keeps until it has signed in,
and then counts for its address. Waiting costs little; what is refused has to be worked on twice.
Daphne can refuse a handshake with 403 only, so who is refused is let in, told why, and closed.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from random import uniform
from typing import Any

from prometheus_client import Counter

from gateway import close_codes
from gateway.presence.addresses import address_of, addresses
from gateway.presence.pace import Pace
from notifications import knobs
from notifications.live import pubsub
from runtime.loops import per_loop

_GRACE_S = 10.0
_RETURN_AFTER_S, _RETURN_WITHIN_S = 1.0, 30.0

REFUSED = Counter("tocsin_sockets_refused_total", "Sockets that were not let in", ["code"])

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class ConnectionLimiter:
    """What this process counts of those who come. One per event loop."""

    def __init__(self) -> None:
        settings = knobs.current()
        self.pace = Pace(settings.accept_per_s, settings.accept_burst)
        self.returns = Pace(settings.accept_per_s, 1)  # of those who were sent away
        self.places = asyncio.Semaphore(settings.sockets_unauthenticated)

    async def enter(self, *, within_s: float) -> "Slot | None":
        """Wait for a turn and a place; None if that takes longer."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s
        wait_s = self.pace.turn(loop.time(), within_s=within_s)
        if wait_s is None:
            return None
        await asyncio.sleep(wait_s)
        try:
            async with asyncio.timeout_at(deadline):
                await self.places.acquire()
        except TimeoutError:
            return None
        return Slot(self)


class Slot:
    """One socket's place among the unauthenticated, given back once. `lifetime` ends who never signs in."""

    def __init__(self, connection_limiter: ConnectionLimiter) -> None:
        self._door: ConnectionLimiter | None = connection_limiter
        within_s = knobs.current().auth_within_s + _GRACE_S
        self.lifetime = asyncio.timeout(within_s)

    def authenticated(self) -> None:
        self.lifetime.reschedule(None)
        self.leave()

    def leave(self) -> None:
        if self._door is not None:
            self._door.places.release()
            self._door = None


class Admission:
    """ASGI middleware. Puts an `Slot` into `scope["entry"]`."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        entry = await connection_limiter().enter(within_s=knobs.current().accept_wait_s)
        if entry is None:
            return await _refuse(receive, send, "busy", close_codes.UNAVAILABLE)
        address = address_of(scope.get("client"))
        try:
            if not await addresses().enter(address):
                return await _refuse(receive, send, "too_many_sockets", close_codes.TOO_MANY_SOCKETS)
            try:
                # The consumer closes who does not sign in; this is for one that hears of no close.
                with contextlib.suppress(TimeoutError):
                    async with entry.lifetime:
                        await self._application({**scope, "entry": entry}, receive, send)
            finally:
                addresses().leave(address)
        finally:
            entry.leave()


_WHY = {
    "busy": "Too many sockets come at the moment. Come back after reconnect_after_ms.",
    "too_many_sockets": "This address has all the sockets it may have. Close one first.",
}


async def _refuse(receive: Receive, send: Send, code: str, close_code: int) -> None:
    REFUSED.labels(code).inc()
    await receive()  # the connect message
    # One after the other, so that those who were sent away do not come back at once.
    wait_s = connection_limiter().returns.turn(asyncio.get_running_loop().time(), within_s=_RETURN_WITHIN_S)
    wait_ms = int(1000 * (_RETURN_AFTER_S + (uniform(0, _RETURN_WITHIN_S) if wait_s is None else wait_s)))  # noqa: S311
    frame = pubsub.frame("error", code=code, detail=_WHY[code], reconnect_after_ms=wait_ms)
    with contextlib.suppress(Exception):  # it may be gone; each server says so with an error of its own
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": frame.decode()})
        await send({"type": "websocket.close", "code": close_code})


@per_loop
def connection_limiter() -> ConnectionLimiter:
    """Return that of the running event loop."""
    return ConnectionLimiter()
