"""Limits on new sockets, applied before a session is looked up or a consumer is created.

A new socket waits for its turn and for one of the slots of unauthenticated sockets, which it holds until it
has signed in, and counts for its address. It waits before it is rejected, because a rejected client comes
back and costs twice. Daphne can reject a handshake only with 403, so a rejected socket is accepted, sent the
reason, and closed.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from random import uniform
from typing import Any

from prometheus_client import Counter

from gateway import close_codes
from gateway.presence.addresses import address_of, addresses
from gateway.settings import edge_settings
from notifications.live import pubsub
from runtime.loops import per_loop
from runtime.token_bucket import TokenBucket

_GRACE_S = 10.0
_RETURN_AFTER_S, _RETURN_WITHIN_S = 1.0, 30.0

REJECTED = Counter("tocsin_sockets_refused_total", "Sockets that were not let in", ["code"])

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class ConnectionLimiter:
    """The pace and the slots of new sockets in this process. One per event loop."""

    def __init__(self) -> None:
        settings, now = edge_settings(), asyncio.get_running_loop().time()
        self.accepts = TokenBucket(settings.accept_per_s, settings.accept_burst, now)
        self.returns = TokenBucket(settings.accept_per_s, 1, now)  # of rejected clients
        self.slots = asyncio.Semaphore(settings.sockets_unauthenticated)

    async def enter(self, *, within_s: float) -> "Slot | None":
        """Wait for a turn and a slot; return None if that takes longer."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within_s
        wait_s = self.accepts.reserve(loop.time(), within_s=within_s)
        if wait_s is None:
            return None
        await asyncio.sleep(wait_s)
        try:
            async with asyncio.timeout_at(deadline):
                await self.slots.acquire()
        except TimeoutError:
            return None
        return Slot(self)


class Slot:
    """The slot of an unauthenticated socket, released once. `lifetime` ends a socket that never signs in."""

    def __init__(self, limiter: ConnectionLimiter) -> None:
        self._limiter: ConnectionLimiter | None = limiter
        within_s = edge_settings().auth_within_s + _GRACE_S
        self.lifetime = asyncio.timeout(within_s)

    def on_authenticated(self) -> None:
        self.lifetime.reschedule(None)
        self.leave()

    def leave(self) -> None:
        if self._limiter is not None:
            self._limiter.slots.release()
            self._limiter = None


class Admission:
    """ASGI middleware. Puts a `Slot` into `scope["entry"]`."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        entry = await connection_limiter().enter(within_s=edge_settings().accept_wait_s)
        if entry is None:
            return await _reject(receive, send, "busy", close_codes.UNAVAILABLE)
        address = address_of(scope.get("client"))
        try:
            if not await addresses().enter(address):
                return await _reject(receive, send, "too_many_sockets", close_codes.TOO_MANY_SOCKETS)
            try:
                # The consumer closes sockets that do not sign in; this ends one whose close gets lost.
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


async def _reject(receive: Receive, send: Send, code: str, close_code: int) -> None:
    REJECTED.labels(code).inc()
    await receive()  # the connect message
    # Spread over time, so that rejected clients do not come back together.
    wait_s = connection_limiter().returns.reserve(
        asyncio.get_running_loop().time(), within_s=_RETURN_WITHIN_S
    )
    wait_ms = int(1000 * (_RETURN_AFTER_S + (uniform(0, _RETURN_WITHIN_S) if wait_s is None else wait_s)))  # noqa: S311
    frame = pubsub.frame("error", code=code, detail=_WHY[code], reconnect_after_ms=wait_ms)
    with contextlib.suppress(Exception):  # the client may be gone; each server raises its own error then
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": frame.decode()})
        await send({"type": "websocket.close", "code": close_code})


@per_loop
def connection_limiter() -> ConnectionLimiter:
    """Return the limiter of the running event loop."""
    return ConnectionLimiter()
