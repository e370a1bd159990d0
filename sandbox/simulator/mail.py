"""The SMTP server: accepts every mail for every address, without TLS, with any login or none."""

import asyncio
from collections.abc import Sequence
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from sandbox.simulator.connection import abort, never
from sandbox.simulator.faults import Faults, Rule
from sandbox.simulator.log import Log

TAKEN = "250 2.0.0 OK: taken"
# RFC 5321 section 4.2.3 and RFC 3463: the reply code, and the enhanced code after it.
REPLIES = {
    "banned": "554 5.7.1 Your host is banned",
    "sender_refused": "550 5.1.8 Bad sender",
    "mailbox_unknown": "550 5.1.1 Mailbox unknown",
    "mailbox_full": "452 4.2.2 Mailbox full",
    "policy": "550 5.7.1 Refused by policy",
    "auth_required": "530 5.7.0 Authentication required",
    "greylisted": "451 4.7.1 Greylisted, try again later",
    "too_big": "552 5.3.4 Message too big",
}


def _decoded(name: str, value: str) -> str:
    """Return a header as readable text; the library's header objects cost ten times as much."""
    return str(make_header(decode_header(value))) if "=?" in value else value


_POLICY = policy.default.clone(header_factory=_decoded)
_MAX_MESSAGE_BYTES = 10 * 1024 * 1024
_IDLE_TIMEOUT_S = 3600.0  # long, so that a hanging server does not close


class MailServer:
    """Makes the protocol for each connection; holds the hooks that aiosmtpd calls."""

    def __init__(self, faults: Faults, log: Log) -> None:
        self._faults = faults
        self._log = log

    def protocol(self) -> asyncio.BaseProtocol:
        rule = self._faults.pick("smtp", "connect", ())
        if rule is not None:
            refusal = _refusal(rule)
            self._note_refused("CONNECT", "", rule, refusal)
            return Refusing(refusal) if rule.refuse or refusal else asyncio.Protocol()
        conversation: asyncio.BaseProtocol = SMTP(
            self,
            data_size_limit=_MAX_MESSAGE_BYTES,
            enable_SMTPUTF8=True,
            hostname="sandbox.test",  # else aiosmtpd asks the resolver
            ident="SMTP sandbox",
            timeout=_IDLE_TIMEOUT_S,
            auth_require_tls=False,
            authenticator=lambda *_: AuthResult(success=True),
            loop=asyncio.get_running_loop(),
        )
        return conversation

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        rule = self._faults.pick("smtp", "mail", ())
        refusal = await self._struck(server, "MAIL", "", rule) if rule else None
        if refusal is None:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return refusal or "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        rule = self._faults.pick("smtp", "rcpt", (address,))
        refusal = await self._struck(server, "RCPT", address, rule) if rule else None
        if refusal is None:
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        return refusal or "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Log one entry for each recipient, then answer by the current rule."""
        rule = self._faults.pick("smtp", "data", envelope.rcpt_tos)
        refusal = _refusal(rule) if rule else None
        if rule and (rule.refuse or rule.hang or refusal):
            for address in envelope.rcpt_tos[1:]:
                self._note_refused("DATA", address, rule, refusal)
            return await self._struck(server, "DATA", envelope.rcpt_tos[0], rule) or TAKEN
        self._note_taken(envelope, rule)
        if rule is not None:
            await asyncio.sleep(rule.latency_ms / 1000)
            if rule.drop_answer:
                await _cut(server)
        return TAKEN

    async def _struck(self, server: SMTP, command: str, address: str, rule: Rule) -> str | None:
        """Return the refusal to send, or None if the rule only delays."""
        refusal = _refusal(rule)
        if rule.refuse or rule.hang or refusal:
            self._note_refused(command, address, rule, refusal)
        if rule.hang and not rule.refuse:
            await never()
        await asyncio.sleep(rule.latency_ms / 1000)
        if rule.refuse:
            abort(server.transport)
            await never()
        if refusal and rule.drop_answer:
            await _cut(server)
        return refusal

    def _note_refused(self, command: str, address: str, rule: Rule, refusal: str | None) -> None:
        if rule.hang and not rule.refuse:
            self._log.append("smtp", command, address, "hung", fault=rule.spec)
            return
        answered = refusal is not None and not rule.refuse and not rule.drop_answer
        status = int(refusal[:3]) if refusal and answered else None
        self._log.append("smtp", command, address, "refused", status=status, fault=rule.spec)

    def _note_taken(self, envelope: Envelope, rule: Rule | None) -> None:
        fields = mail_fields(envelope)
        dropped = rule is not None and rule.drop_answer
        fields["status"] = None if dropped else 250
        fields["fault"] = rule.spec if rule else None
        for address in envelope.rcpt_tos:
            self._log.append("smtp", "DATA", address, "dropped_answer" if dropped else "accepted", **fields)


class Refusing(asyncio.Protocol):
    """Refuses in its greeting, or resets the connection as soon as it is made."""

    def __init__(self, greeting: str | None) -> None:
        self._greeting = greeting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._greeting is None or not isinstance(transport, asyncio.Transport):
            abort(transport)
        else:
            transport.write(f"{self._greeting}\r\n".encode())
            transport.close()


async def _cut(server: SMTP) -> None:
    """Close without an answer; aiosmtpd cancels this once the connection is gone."""
    if server.transport is not None:
        server.transport.close()
    await never()


def _refusal(rule: Rule) -> str | None:
    if rule.error is not None:
        return REPLIES[rule.error]
    if rule.status is not None:
        return f"{rule.status} {rule.status // 100}.0.0 Refused by the simulator"
    return None


def mail_fields(envelope: Envelope) -> dict[str, Any]:
    """Return the fields of a mail for the log; `from` is the envelope's sender."""
    message = message_from_bytes(envelope.original_content or b"", policy=_POLICY)
    assert isinstance(message, EmailMessage)
    return {
        "from": envelope.mail_from,
        "subject": _header(message, "Subject"),
        "message_id": _header(message, "Message-ID"),
        "text": _part(message, ("plain",)),
        "html": _part(message, ("html",)),
        "headers": {name: str(value) for name, value in message.items()},
    }


def _header(message: EmailMessage, name: str) -> str | None:
    value = message.get(name)
    return None if value is None else str(value).strip()


def _part(message: EmailMessage, kinds: Sequence[str]) -> str | None:
    part = message.get_body(kinds)
    if part is None:
        return None
    try:
        return str(part.get_content())
    except (LookupError, ValueError):  # an unknown charset or a broken encoding
        raw = part.get_payload(decode=True)
        return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
