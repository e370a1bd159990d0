"""What the client raises.

TocsinError
├── InvalidEvent      the event cannot be published as it stands (also a ValueError)
│   └── Conflict      its event_id is in the journal with other content
├── JournalError      the journal cannot be opened or written; nothing was taken
├── JournalFull       too many events wait, and none went within the timeout; nothing was taken
├── Closed            the publisher was closed
├── NotFinal          no final ack within the timeout (also a TimeoutError); the event goes on
└── TransportError    the service cannot be reached, or takes nothing now; tried again
    └── Refused       it answers, and takes nothing from us: the key, the source or the URL is wrong
"""

from __future__ import annotations


class TocsinError(Exception):
    """The base of all errors of this package."""


class InvalidEvent(TocsinError, ValueError):
    """An event that cannot be published. `code` and `field` are those of the service's documentation."""

    def __init__(self, code: str, detail: str, field: str = "") -> None:
        super().__init__(f"{field}: {detail}" if field else detail)
        self.code = code
        self.field = field


class Conflict(InvalidEvent):
    """The event_id is in the journal with other content."""


class JournalError(TocsinError):
    """The journal cannot be opened or written."""


class JournalFull(TocsinError):
    """As many events wait as the journal may hold."""


class Closed(TocsinError):
    """The publisher was closed."""


class NotFinal(TocsinError, TimeoutError):
    """There is no final ack yet."""


class TransportError(TocsinError):
    """Nothing was answered, or nothing is taken now. `retry_after_s` is what the service asked for, or 0."""

    def __init__(self, code: str, detail: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.retry_after_s = retry_after_s


class Refused(TransportError):
    """Every event would be refused: somebody has to correct the key, the source or the URL."""
