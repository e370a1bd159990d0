"""The interface of a transport: one class with one method, which sends once.

A transport sends and either returns a `Receipt` or raises one of the errors below. It never retries, never
reads the clock or the database, and does not know Celery. The class of the error decides what follows:

    TransportError
    ├── TemporaryError       try again later
    │   └── LimitedError     try again, not before `retry_after_s`
    ├── OutcomeUnknown       it may have arrived: never repeated without a notice
    └── PermanentError       this message cannot be sent to this destination
        ├── RecipientError     the recipient cannot be written to: disable the address
        ├── MessageError       the message is refused; the address is valid
        └── ConfigurationError we are refused, or our credentials or settings are wrong

A refusal is the recipient's only if it speaks of the recipient. Whatever refuses everybody alike is our
fault. An answer that is not in the provider's own form (from a proxy, a portal, a firewall) is no refusal at
all, but a temporary fault of the network.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from notifications.states import AttemptOutcome, Channel
from notifications.words import Action, Block


class TransportError(Exception):
    """A send that failed. `reason` is for people and contains no address and no secret."""

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

    `title` is one line without control characters. `html` is the channel's markup (Telegram's subset, or a
    complete e-mail document), and empty if the channel has none. `key` is the idempotency key: the same for
    every attempt of one delivery. `template_version` is the stored wording that it was made from, if any;
    `member_versions` are those of the other events in a digest.
    `acknowledge_label` is the text of a button with which the person acknowledges the event, and empty if
    there is none.

    The rest is empty unless the producer has chosen the words. Its URLs may be linked to. `url` is what the
    message opens. `blocks` is the body in a form for channels with a markup of their own.
    """

    key: str
    title: str
    text: str
    html: str = ""
    template_version: int | None = None
    member_versions: tuple[int | None, ...] = ()
    acknowledge_label: str = ""
    url: str = ""
    image: str = ""
    actions: tuple[Action, ...] = ()
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """The provider accepted the message under this id ("" if it returns none)."""

    provider_message_id: str = ""
    moved_to: str = ""  # the address to use from now on


class Transport(Protocol):
    channel: Channel

    async def send(self, message: Message, address: str, *, timeout_s: float) -> Receipt:
        """Send `message` to `address` once, within `timeout_s` seconds.

        Guarantee: at most one message leaves. Raises: `TransportError`, and nothing else.
        """
        ...


@runtime_checkable
class EditingTransport(Protocol):
    """A transport that can change a message that it has sent: its channel declares `edits`."""

    async def edit(self, message: Message, address: str, message_id: str, *, timeout_s: float) -> None:
        """Show `message` in the place of the one with this id. Idempotent.

        Raises: `TransportError`; `PermanentError` if the message can no longer be edited.
        """
        ...
