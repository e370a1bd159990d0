"""Connections whose next request has not arrived yet: how many there are, and how much of it is in memory.

A request that is sent in one go has arrived within milliseconds. So above a limit the oldest go first: those
that trickle, or that say nothing, and never the one that has just begun.
"""

from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Any, Protocol

from gateway.settings import edge_settings

EXTENSION = "tocsin.body"


def body_refusal(scope: dict[str, Any]) -> str:
    """Return why the server has not read this request's body, or "": an error code of the API."""
    refusal: str = scope.get("extensions", {}).get(EXTENSION, "")
    return refusal


class Phase(IntEnum):
    """What a connection still owes. Too many connections: the first phase goes first."""

    HEAD = 0
    ENDING = 1  # it has its last answer, or is still sending what nobody reads
    IDLE = 2  # it has its answer and is kept for the next request
    BODY = 3


class Arriving(Protocol):
    """A connection. `expel` ends its request, with this code as the reason."""

    def expel(self, code: str) -> None: ...


class Arrivals:
    """One per process. Time is monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: dict[Phase, dict[Arriving, float]] = {phase: {} for phase in Phase}
        self._bytes: dict[Arriving, int] = {}
        self.held = 0  # bytes of all bodies

    def __len__(self) -> int:
        return sum(map(len, self._since.values()))

    def begin(self, connection: Arriving, phase: Phase) -> None:
        """Count a connection that waits for this from now on."""
        self.leave(connection)
        self._since[phase][connection] = self._clock()
        while len(self) > edge_settings().arriving_connections:
            self._oldest(*Phase).expel("busy")

    def grow(self, connection: Arriving, size: int) -> None:
        """Count more bytes of a body. The connection itself may be expelled."""
        self._bytes[connection] = self._bytes.get(connection, 0) + size
        self.held += size
        while self.held > edge_settings().arriving_bytes:
            self._oldest(Phase.BODY).expel("busy")

    def leave(self, connection: Arriving) -> None:
        """Forget a connection: its request is here, or it is gone."""
        for waiting in self._since.values():
            waiting.pop(connection, None)
        self.held -= self._bytes.pop(connection, 0)

    def expire(self) -> None:
        """End the requests that take too long. Called every two seconds."""
        head_s, body_s, now = edge_settings().head_within_s, edge_settings().body_within_s, self._clock()
        for phase, within_s in ((Phase.HEAD, head_s), (Phase.ENDING, head_s), (Phase.BODY, body_s)):
            for connection in list(self._late(phase, now - within_s)):
                connection.expel("request_timeout")

    def _late(self, phase: Phase, before: float) -> Iterator[Arriving]:
        for connection, since in self._since[phase].items():
            if since > before:
                return
            yield connection

    def _oldest(self, *phases: Phase) -> Arriving:
        return next(connection for phase in phases for connection in self._since[phase])
