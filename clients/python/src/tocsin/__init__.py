"""Publishing events to Tocsin: `EventPublisher`, and `AsyncEventPublisher` for asyncio."""

from tocsin._version import __version__
from tocsin.acks import Ack, ChannelOutcome
from tocsin.aio import AsyncEventPublisher, AsyncPublished
from tocsin.errors import (
    Closed,
    Conflict,
    InvalidEvent,
    JournalError,
    JournalFull,
    NotFinal,
    Refused,
    TocsinError,
    TransportError,
)
from tocsin.events import CRITICAL, INFORMATIONAL, NORMAL, PRIORITIES, Event
from tocsin.publisher import EventPublisher, Published

__all__ = [
    "CRITICAL",
    "INFORMATIONAL",
    "NORMAL",
    "PRIORITIES",
    "Ack",
    "AsyncEventPublisher",
    "AsyncPublished",
    "ChannelOutcome",
    "Closed",
    "Conflict",
    "Event",
    "EventPublisher",
    "InvalidEvent",
    "JournalError",
    "JournalFull",
    "NotFinal",
    "Published",
    "Refused",
    "TocsinError",
    "TransportError",
    "__version__",
]
