"""Daphne's HTTP connection with limits: nobody fills memory or disk with a request that nobody asked for.

Twisted takes a body of any length, above 100 kB into a file, and hands the request on when all of it is
there; a byte a minute keeps the connection. Here a body that is too long is not read: the application gets
the request at once, with the reason in its scope instead of the body, and the connection ends with it.
"""

from io import BytesIO
from typing import Any
from urllib.parse import unquote

from daphne.http_protocol import WebRequest
from twisted.internet.interfaces import IHalfCloseableDescriptor
from twisted.web.http import HTTPChannel

from gateway.codec.limits import body_limit
from gateway.server.arrivals import Arrivals, Phase

_DISCARDED_BYTES = 8 * 1024 * 1024  # what a client may go on sending before it reads our answer


class BoundedRequest(WebRequest):  # type: ignore[misc]
    """A request whose body is in memory, as far as its channel lets it in."""

    refusal = ""

    def gotLength(self, length: int | None) -> None:  # noqa: N802  Twisted's name, as all below
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802
        if self.channel is not None and self.channel.has_room(len(data)):
            self.content.write(data)


class BoundedChannel(HTTPChannel):  # type: ignore[misc]
    """One connection, until it becomes a WebSocket's."""

    _idle = False
    _in_body = False
    _limit = 0  # of the present body
    _size = 0
    _refused = False
    _discarded = 0  # bytes since the refusal

    # --- the arrival of a request -----------------------------------------------------------------------
    def connectionMade(self) -> None:  # noqa: N802
        self.requestFactory = BoundedRequest  # Daphne has just set its own
        super().connectionMade()
        self._arrivals.begin(self, Phase.HEAD)

    @property
    def _arrivals(self) -> Arrivals:
        arrivals: Arrivals = self.factory.server.arrivals
        return arrivals

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if self._idle:
            self._idle = False
            self._arrivals.begin(self, Phase.HEAD)
        super().dataReceived(data)

    def allHeadersReceived(self) -> None:  # noqa: N802
        request = self.requests[-1]
        self._size, self._limit = 0, self._limit_of(request)
        too_long = self.length > self._limit if self.length is not None else self._limit == 0
        if too_long:
            request.requestHeaders.removeHeader(b"Expect")  # no invitation to send it
        super().allHeadersReceived()
        if too_long:
            self._refuse("too_large")
        elif self.length != 0:
            self._in_body = True
            self._arrivals.begin(self, Phase.BODY)

    def _limit_of(self, request: BoundedRequest) -> int:
        if request.requestHeaders.hasHeader(b"Upgrade"):
            return 0
        path = unquote(self._path.partition(b"?")[0].decode("ascii", "replace"))
        known = request.requestHeaders.hasHeader(b"Authorization")
        return body_limit(path.removeprefix(self.factory.server.root_path), with_key=known)

    def has_room(self, size: int) -> bool:
        """Count bytes of the body. Return whether they may be kept."""
        if self._refused:
            return False
        self._size += size
        if self._size > self._limit:
            self._refuse("too_large")
        else:
            self._arrivals.grow(self, size)
        return not self._refused

    def allContentReceived(self) -> None:  # noqa: N802
        if not self._refused:
            self._in_body = self._idle = False
            self._arrivals.leave(self)
            super().allContentReceived()

    def requestDone(self, request: Any) -> None:  # noqa: N802
        if self.persistent:
            self._idle = True
            self._arrivals.begin(self, Phase.IDLE)
        super().requestDone(request)

    # --- its end ----------------------------------------------------------------------------------------
    def expel(self, code: str) -> None:
        """End a request that has not arrived: with an answer once its head is known, else without one."""
        if self._in_body:
            self._refuse(code)
        else:
            self._arrivals.leave(self)
            self.transport.abortConnection()

    def _refuse(self, code: str) -> None:
        """Let the application answer now, without the body; read no further request."""
        request = self.requests[-1]
        request.refusal, request.content = code, BytesIO()
        request.requestHeaders.removeHeader(b"Upgrade")
        request.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        self._refused, self._in_body, self.persistent = True, False, False
        self._arrivals.leave(self)
        super().allContentReceived()

    def rawDataReceived(self, data: bytes) -> None:  # noqa: N802
        if not self._refused:
            super().rawDataReceived(data)
            return
        self._discarded += len(data)
        if self._discarded > _DISCARDED_BYTES:
            self._networkProducer.pauseProducing()

    def loseConnection(self) -> None:  # noqa: N802
        """Close, after a refusal only our side: else the answer would be lost with what is still coming."""
        self._arrivals.begin(self, Phase.ENDING)
        half = IHalfCloseableDescriptor(self.transport, None)
        if self._refused and half is not None:
            half.loseWriteConnection()
        else:
            super().loseConnection()

    def connectionLost(self, reason: Any) -> None:  # noqa: N802
        self._arrivals.leave(self)
        super().connectionLost(reason)
