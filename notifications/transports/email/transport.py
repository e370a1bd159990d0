"""E-mail over SMTP, with Django's backend. One recipient per message; Message-ID from the delivery's key.

RFC 5321 and RFC 3463: 4yz is temporary, 5yz permanent; 5.1.x concerns the recipient, 5.7.x our
authorization.
RFC 1047: if the connection is lost after the final dot, it is unknown whether the mail was accepted.
"""

import asyncio
import re
import smtplib
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.smtp import EmailBackend

from notifications.states import Channel
from notifications.transports.base import (
    ConfigurationError,
    Message,
    MessageError,
    OutcomeUnknown,
    Receipt,
    RecipientError,
    TemporaryError,
    TransportError,
)

_THREADS = 32
_ENHANCED = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")


class _Conversation(smtplib.SMTP):
    """An SMTP client with a deadline, which records whether the mail's final dot was sent."""

    dot_sent = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # For the whole conversation: the socket's own timeout starts again with every step.
        self._until = time.monotonic() + kwargs["timeout"]
        super().__init__(*args, **kwargs)

    def connect(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        answer = super().connect(*args, **kwargs)
        if self.sock is not None:
            # Without it the final dot waits up to 40 ms for the ACK of the text (Nagle).
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return answer

    def send(self, s: Any) -> None:
        self._limit()
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        self._limit()
        return super().getreply()

    def _limit(self) -> None:
        if self.sock is not None:
            self.sock.settimeout(max(0.001, self._until - time.monotonic()))

    def data(self, msg: Any) -> tuple[int, bytes]:
        code, answer = self.docmd("data")
        if code != 354:
            raise smtplib.SMTPDataError(code, answer)
        text = msg.encode("ascii") if isinstance(msg, str) else msg
        quoted = re.sub(rb"(?m)^\.", b"..", re.sub(rb"\r\n|\n|\r(?!\n)", b"\r\n", text))
        self.send(quoted if quoted.endswith(b"\r\n") else quoted + b"\r\n")
        self.dot_sent = True
        self.send(b".\r\n")
        code, answer = self.getreply()
        if code != 250:
            raise smtplib.SMTPDataError(code, answer)
        return code, answer


class _ConversationSSL(_Conversation, smtplib.SMTP_SSL):
    pass


class Backend(EmailBackend):
    """Django's SMTP backend over `_Conversation`."""

    dot_sent = False

    @property
    def connection_class(self) -> type[smtplib.SMTP]:  # type: ignore[override]
        return _ConversationSSL if self.use_ssl else _Conversation

    def close(self) -> None:
        """Keep `dot_sent`: Django drops the connection here."""
        self.dot_sent = self.dot_sent or getattr(self.connection, "dot_sent", False)
        super().close()


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
    sender = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    message_id = f"<{message.key}@{sender.rpartition('@')[2]}>"
    smtp = settings.EMAIL_BACKEND.endswith("smtp.EmailBackend")
    backend = (
        Backend(timeout=timeout_s, fail_silently=False)
        if smtp
        else get_connection(settings.EMAIL_BACKEND, fail_silently=False)
    )
    mail = EmailMultiAlternatives(
        subject=" ".join(message.title.split()),  # a line break would start another header
        body=message.text,
        to=[address],
        headers={"Message-ID": message_id, "Auto-Submitted": "auto-generated"},
        connection=backend,
    )
    if message.html:
        mail.attach_alternative(message.html, "text/html")
    try:
        backend.send_messages([mail])
    except (smtplib.SMTPException, OSError, ssl.SSLError) as failure:
        raise _translated(
            failure, getattr(backend, "dot_sent", False)
        ) from None  # its text contains the address
    except UnicodeError:
        raise MessageError("the text cannot be encoded") from None
    except ValueError:  # Django did not find exactly one address
        raise RecipientError("the address is not an e-mail address") from None
    return Receipt(message_id)


def _translated(failure: Exception, dot_sent: bool) -> TransportError:
    """Return the `TransportError` for `failure`."""
    if isinstance(failure, smtplib.SMTPRecipientsRefused):
        code, answer = next(iter(failure.recipients.values()))
        return _by_code(code, answer)
    if isinstance(failure, smtplib.SMTPAuthenticationError | smtplib.SMTPNotSupportedError):
        return ConfigurationError("the mail server refuses our login")
    if isinstance(failure, smtplib.SMTPResponseException) and failure.smtp_code > 0:
        return _by_code(failure.smtp_code, failure.smtp_error)
    if dot_sent:
        return OutcomeUnknown("the mail server's answer was lost")
    return TemporaryError(f"the mail server cannot be reached: {type(failure).__name__}")


def _by_code(code: int, answer: bytes | str) -> TransportError:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    match = _ENHANCED.search(text)
    enhanced = match.group(0) if match else ""
    reason = f"the mail server said {code} {enhanced}".rstrip()
    if code < 500:
        return TemporaryError(reason)
    if enhanced.startswith("5.1.") or (not enhanced and code in {550, 551, 553}):
        return RecipientError(reason)
    if enhanced.startswith("5.7.") or code in {530, 534, 535}:
        return ConfigurationError(reason)
    return MessageError(reason)
