"""What a transport is. One module each; `tocsin.transports` chooses by the scheme of the URL."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Optional, Tuple, Union

from tocsin.acks import Ack


@dataclass(frozen=True)
class Outgoing:
    """One event to send: its JSON is `body`."""

    event_id: str
    body: str


@dataclass(frozen=True)
class Later:
    """This event was not taken: it is to be sent again, no sooner than `after_s`."""

    code: str
    after_s: float


Answer = Union[Ack, Later, None]  # None: its ack comes by `receive`


@dataclass(frozen=True)
class Replies:
    """Acks that came on their own. `position` is what `receive` continues from once they are kept."""

    acks: Sequence[Ack]
    position: str


@dataclass(frozen=True)
class Options:
    """What the publisher was given besides the URL."""

    key: str = ""
    source: str = ""
    timeout_s: float = 30.0


@dataclass(frozen=True)
class Finding:
    """One result of `tocsin doctor`: `ok` is None where it is worth a look, and works."""

    what: str
    ok: Optional[bool]
    detail: str


class Transport(ABC):
    """Brings events to the service, and acks back. Used by two threads: one sends, one receives.

    Guarantee: an event for which `send` raises or gives no final ack is sent again, under the same id.
    """

    batch_events: ClassVar[int] = 500
    batch_bytes: ClassVar[int] = 3 * 1024 * 1024
    receives: ClassVar[bool] = False  # acks come by `receive`
    resend_after_s: ClassVar[float] = 60.0  # an event without any ack is sent again
    ask_after_s: ClassVar[Tuple[float, ...]] = (
        300.0,
        3600.0,
    )  # a QUEUED one is sent again, to ask for its end

    def __init__(self, url: str, options: Options) -> None:
        self.url = url
        self.options = options

    @abstractmethod
    def send(self, events: Sequence[Outgoing]) -> Sequence[Answer]:
        """Send a batch; return an answer for each event, in order. Raises: `TransportError`."""

    def receive(self, position: str, *, wait_s: float) -> Replies:
        """Return the acks after `position`, waiting so long for the first. Raises: `TransportError`."""
        return Replies((), position)

    def received(self, replies: Replies) -> None:
        """Acknowledge replies that are in the journal now. Raises: `TransportError`."""
        return

    def diagnose(self) -> Iterator[Finding]:
        """Say what works and what does not; never raises."""
        return iter(())

    @abstractmethod
    def close(self) -> None:
        """Close all connections. A call of another thread may then raise `TransportError`."""
