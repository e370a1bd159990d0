"""The sign-in of a socket: its person, its expiry and its revocation, as one context."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from gateway.auth import revocation
from gateway.auth.credentials import Credential
from gateway.presence.sockets import Socket, presence
from runtime.postgres import clock


class OtherPerson(Exception):
    """The renewal has the credential of another person."""


class Identity:
    """Calls `end` once when the credential expires or is revoked."""

    def __init__(self, credential: Credential, socket: Socket, end: Callable[[], None]) -> None:
        self.credential = credential
        self.socket = socket
        self._end: Callable[[], None] | None = end
        self._timer: asyncio.TimerHandle | None = None
        self._set_timer()

    def renew(self, credential: Credential) -> None:
        """Continue with a new credential of the same person. Raises: `OtherPerson`."""
        if credential.person.pk != self.credential.person.pk:
            raise OtherPerson
        self.credential = credential
        self._set_timer()

    def _set_timer(self) -> None:
        self.stop()
        left_s = (self.credential.expires_at - clock.now()).total_seconds()
        self._timer = asyncio.get_running_loop().call_later(max(0.0, left_s), self.end)

    def end(self) -> None:
        if self._end is not None:
            end, self._end = self._end, None
            end()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def confirmed(self) -> None:
        """Record that the client has confirmed an event just now."""
        self.socket.confirmed_ms = int(clock.now().timestamp() * 1000)


@contextlib.asynccontextmanager
async def signed_in(
    credential: Credential, *, socket_id: str, device: str, end: Callable[[], None]
) -> AsyncIterator[Identity]:
    """Register the socket for its person while the block runs. Raises: `TooManySockets`."""
    async with presence().entered(socket_id, credential.person.pk, device) as socket:
        identity = Identity(credential, socket, end)
        try:
            with revocation.watching(identity):
                yield identity
        finally:
            identity.stop()
