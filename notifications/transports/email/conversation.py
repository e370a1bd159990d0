"""One SMTP conversation, with Django's backend: a deadline, one recipient, and SMTPUTF8 if it needs that."""

import re
import smtplib
import socket
import time
from typing import Any

from django.core.mail.backends.smtp import EmailBackend


class NoSmtpUtf8(Exception):
    """The server does not offer SMTPUTF8, which an address beyond ASCII needs."""


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
        if not 200 <= code < 300:
            raise smtplib.SMTPDataError(code, answer)
        return 250, answer  # to smtplib every other 2yz is a failure


class _ConversationSSL(_Conversation, smtplib.SMTP_SSL):
    pass


class Backend(EmailBackend):
    """Django's SMTP backend over `_Conversation`, for one mail."""

    dot_sent = False

    @property
    def connection_class(self) -> type[smtplib.SMTP]:  # type: ignore[override]
        return _ConversationSSL if self.use_ssl else _Conversation

    def deliver(self, sender: str, recipient: str, mail: bytes) -> None:
        """Send `mail` once. Raises: errors of smtplib, `OSError`, `NoSmtpUtf8`."""
        try:
            self.open()
            assert self.connection is not None  # `fail_silently` is off
            self.connection.ehlo_or_helo_if_needed()
            if recipient.isascii():
                self.connection.sendmail(sender, [recipient], mail)
            elif self.connection.has_extn("smtputf8"):
                self.connection.sendmail(sender, [recipient], mail, ["SMTPUTF8", "BODY=8BITMIME"])
            else:
                raise NoSmtpUtf8
        finally:
            self.dot_sent = getattr(self.connection, "dot_sent", False)  # Django drops the connection next
            self.close()
