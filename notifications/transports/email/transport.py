"""E-mail over SMTP, with Django's backend. One recipient per message; Message-ID from the delivery's key."""

import asyncio
import smtplib
from concurrent.futures import ThreadPoolExecutor
from email.utils import getaddresses

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection

from notifications.states import Channel
from notifications.transports.base import (
    ConfigurationError,
    Message,
    MessageError,
    Receipt,
    RecipientError,
)
from notifications.transports.email.address import on_the_wire
from notifications.transports.email.conversation import Backend, NoSmtpUtf8
from notifications.transports.email.refusals import translated

_THREADS = 32


class EmailTransport:
    channel = Channel.EMAIL

    def __init__(self) -> None:
        # Not the loop's default executor: a hanging mail server would block name look-ups, which use it.
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="email")

    async def send(self, message: Message, address: str, *, timeout_s: float) -> Receipt:
        """Send to the e-mail address `address` once. See `Transport.send`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _send, message, address, timeout_s)


def _send(message: Message, address: str, timeout_s: float) -> Receipt:
    try:
        recipient = on_the_wire(address)
    except ValueError:
        raise RecipientError("the address is not an e-mail address") from None
    sender = _sender()
    mail = _mail(message, recipient, sender)
    if settings.EMAIL_BACKEND.endswith("smtp.EmailBackend"):
        _converse(sender, recipient, _encoded(mail, recipient), timeout_s)
    else:
        _hand_over(mail)
    return Receipt(mail.extra_headers["Message-ID"])


def _sender() -> str:
    try:
        [(_, address)] = getaddresses([settings.DEFAULT_FROM_EMAIL])
        sender = on_the_wire(address)
    except ValueError:
        sender = ""
    if not sender or not sender.isascii():
        raise ConfigurationError("DEFAULT_FROM_EMAIL must hold one e-mail address in ASCII")
    return sender


def _mail(message: Message, recipient: str, sender: str) -> EmailMultiAlternatives:
    mail = EmailMultiAlternatives(
        subject=" ".join(message.title.split()),  # a line break would start another header
        body=message.text,
        to=[recipient],
        headers={
            "Message-ID": f"<{message.key}@{sender.rpartition('@')[2]}>",
            "Auto-Submitted": "auto-generated",
        },
    )
    if message.html:
        mail.attach_alternative(message.html, "text/html")
    return mail


def _hand_over(mail: EmailMultiAlternatives) -> None:
    """Send with a backend other than SMTP, which has its own time limit."""
    try:
        get_connection(settings.EMAIL_BACKEND, fail_silently=False).send_messages([mail])
    except UnicodeError:
        raise MessageError("the text cannot be encoded") from None
    except OSError as failure:
        raise translated(failure, dot_sent=False) from None


def _converse(sender: str, recipient: str, mail: bytes, timeout_s: float) -> None:
    backend = Backend(timeout=timeout_s, fail_silently=False)
    try:
        backend.deliver(sender, recipient, mail)
    except NoSmtpUtf8:
        raise RecipientError("the mail server takes no address beyond ASCII") from None
    except UnicodeError:
        raise ConfigurationError("EMAIL_HOST_USER or EMAIL_HOST_PASSWORD cannot be encoded") from None
    except (smtplib.SMTPException, OSError) as failure:  # its text contains the address
        raise translated(failure, dot_sent=backend.dot_sent) from None


def _encoded(mail: EmailMultiAlternatives, recipient: str) -> bytes:
    to = b""
    if not recipient.isascii():
        # Django would encode the local part as a word (RFC 2047), which names another mailbox.
        mail.to, to = [], b"To: " + recipient.encode() + b"\r\n"
    try:
        return to + mail.message().as_bytes(linesep="\r\n")  # type: ignore[call-arg]  # of Django's class
    except UnicodeError:
        raise MessageError("the text cannot be encoded") from None
