"""Whose fault a mail server's refusal is: that depends on the command that it answers.

The answer to RCPT alone speaks of the recipient, and only with certain codes. The greeting, EHLO, STARTTLS,
the login and MAIL know no recipient: they refuse us. What follows DATA speaks of the message. A policy code
(5.7.x) speaks of us everywhere. RFC 5321 section 4.2 has the reply codes, RFC 3463 the enhanced ones.
RFC 1047: if the connection is lost after the final dot, it is unknown whether the mail was accepted.
"""

import re
import smtplib
from dataclasses import dataclass

from notifications.transports.base import (
    ConfigurationError,
    MessageError,
    OutcomeUnknown,
    RecipientError,
    TemporaryError,
    TransportError,
)

# RFC 2034: the enhanced code begins the text. Elsewhere its form is an IP address or a quotation.
_ENHANCED = re.compile(r"#?([245]\.\d{1,3}\.\d{1,3})(?![.\d])")
# No such mailbox, no such host, bad syntax, moved, a host without mail, disabled, no such person.
_OF_THE_RECIPIENT = {"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.4.1"}
_OF_THE_SENDER = {"5.1.7", "5.1.8"}
_UNKNOWN_MAILBOX = {550, 551, 553}
_AUTHENTICATION = {530, 534, 535, 538}
_MAILBOX_FULL = "5.2.2"
_TOO_BIG = {"5.2.3", "5.3.4"}
# Servers without enhanced codes refuse a client's host, its relaying and its sender with a plain 550 too.
_ABOUT_US = re.compile(
    r"relay(?! recipient)|black ?list|block ?list|dnsbl|\brbl\b|spamhaus|\bspf\b|dkim|dmarc|sender"
    r"|authenticat|reputation|policy|client host|your (ip|host|server|domain)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Answer:
    """A negative answer. Its text is foreign: only its codes get into a reason."""

    code: int
    text: str

    @property
    def enhanced(self) -> str:
        match = _ENHANCED.match(self.text.lstrip())
        return match.group(1) if match else ""

    @property
    def codes(self) -> str:
        return f"{self.code} {self.enhanced}".rstrip()

    @property
    def permanent(self) -> bool:
        """A 5yz; but not with an enhanced code that says the opposite, or for a mailbox that is full."""
        return 500 <= self.code < 600 and self.enhanced[:1] in ("", "5") and self.enhanced != _MAILBOX_FULL

    @property
    def about_us(self) -> bool:
        return (
            self.enhanced.startswith("5.7.")
            or self.enhanced in _OF_THE_SENDER
            or self.code in _AUTHENTICATION
            or (not self.enhanced and bool(_ABOUT_US.search(self.text)))
        )


def translated(failure: Exception, *, dot_sent: bool) -> TransportError:
    """Return the `TransportError` for what smtplib raised."""
    answer = _answer_of(failure)
    if isinstance(failure, smtplib.SMTPNotSupportedError) or type(failure) is smtplib.SMTPException:
        return ConfigurationError("the mail server offers no encryption or login of our settings")
    if answer is None or not 400 <= answer.code < 600:
        if dot_sent:
            return OutcomeUnknown("the mail server's answer was lost")
        return TemporaryError(f"the mail server cannot be reached: {type(failure).__name__}")
    if not answer.permanent:
        return TemporaryError(f"the mail server said {answer.codes}")
    return _of_step(failure, answer)


def _answer_of(failure: Exception) -> _Answer | None:
    text: bytes | str
    if isinstance(failure, smtplib.SMTPRecipientsRefused):
        [(code, text)] = failure.recipients.values()
    elif isinstance(failure, smtplib.SMTPResponseException):
        code, text = failure.smtp_code, failure.smtp_error
    else:
        return None
    return _Answer(code, text.decode("utf-8", "replace") if isinstance(text, bytes) else text)


def _of_step(failure: Exception, answer: _Answer) -> TransportError:
    """Return the error for a permanent refusal, by the command that it answers."""
    if isinstance(failure, smtplib.SMTPRecipientsRefused):
        return _at_rcpt(answer)
    if isinstance(failure, smtplib.SMTPDataError):
        return _refused_us(answer) if answer.enhanced.startswith("5.7.") else _refused_message(answer)
    if isinstance(failure, smtplib.SMTPSenderRefused) and _too_big(answer):
        return _refused_message(answer)  # MAIL tells the size
    return _refused_us(answer)


def _at_rcpt(answer: _Answer) -> TransportError:
    if answer.about_us:
        return _refused_us(answer)
    if answer.enhanced in _OF_THE_RECIPIENT or (not answer.enhanced and answer.code in _UNKNOWN_MAILBOX):
        return RecipientError(f"the mail server refuses the recipient: {answer.codes}")
    if answer.code == 552 and not answer.enhanced:  # RFC 5321 section 4.5.3.1.10: treat it as 452
        return TemporaryError(f"the mail server said {answer.codes}")
    return _refused_message(answer)


def _too_big(answer: _Answer) -> bool:
    return answer.enhanced in _TOO_BIG or (answer.code == 552 and not answer.enhanced)


def _refused_us(answer: _Answer) -> TransportError:
    return ConfigurationError(f"the mail server refuses us: {answer.codes}")


def _refused_message(answer: _Answer) -> TransportError:
    return MessageError(f"the mail server refuses the message: {answer.codes}")
