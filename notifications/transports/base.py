"""What a transport is: one class, one method, one try.

A transport sends and either returns a `Receipt` or raises one of the errors below; it never retries,
never reads the clock or the database, never knows Celery. The class of the error *is* the decision:

    TransportError
    ├── TemporaryError       try again later
    │   └── LimitedError     try again, not before `retry_after_s`
    ├── OutcomeUnknown       it may have arrived: never silently repeated
    └── PermanentError       this destination will not work for this message
        ├── RecipientError     the address is dead: disable it
        ├── MessageError       this message is refused; the address is fine
        └── ConfigurationError our credentials or settings
"""

from dataclasses import dataclass
from typing import Protocol

from notifications.states import AttemptOutcome, Channel


class TransportError(Exception):
    """A try that did not succeed. `reason` is for people and holds no address and no secret."""

    outcome: AttemptOutcome

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TemporaryError(TransportError):
    outcome = AttemptOutcome.TEMPORARY


class LimitedError(TemporaryError):
    outcome = AttemptOutcome.LIMITED

    def __init__(self, reason: str, retry_after_s: float = 1.0) -> None:
        # Positional only: a keyword-only argument would not survive pickling.
        Exception.__init__(self, reason, retry_after_s)
        self.reason = reason
        self.retry_after_s = retry_after_s


class OutcomeUnknown(TransportError):
    outcome = AttemptOutcome.UNKNOWN


class PermanentError(TransportError):
    outcome = AttemptOutcome.MESSAGE


class RecipientError(PermanentError):
    outcome = AttemptOutcome.RECIPIENT


class MessageError(PermanentError):
    outcome = AttemptOutcome.MESSAGE


class ConfigurationError(PermanentError):
    outcome = AttemptOutcome.CONFIGURATION


@dataclass(frozen=True, slots=True)
class Message:
    """One notification, rendered for one channel and ready to send.

    `title` is one line without control characters. `html` is in the dialect of the channel (Telegram's
    subset, or a whole e-mail document) and empty where the channel has none. `key` is the idempotency
    key: the same for every try of one delivery.
    """

    key: str
    title: str
    text: str
    html: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The provider accepted the message under this id ("" where it gives none)."""

    provider_message_id: str = ""
    moved_to: str = ""  # the address the provider wants to be used from now on


class Transport(Protocol):
    channel: Channel

    async def send(self, message: Message, address: str, *, timeout_s: float) -> Receipt:
        """Try once to send `message` to `address` within `timeout_s` seconds.

        Guarantee: at most one message leaves. Raises: `TransportError`, and nothing else.
        """
        ...
