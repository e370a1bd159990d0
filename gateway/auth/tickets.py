"""Single-use tickets, which a page or a backend passes to a client that must not have the credential itself.

256 random bits, kept for `ticket_s` in Redis under their digest. The first use deletes them (GETDEL), so a
second use fails, even a simultaneous one.
"""

import json
import logging
import secrets
from dataclasses import asdict, dataclass
from hashlib import sha256

import redis

from gateway.auth.bearer import AuthFailed
from gateway.settings import edge_settings
from runtime.redis.client import client
from users.encryption import CannotDecrypt, decrypt, encrypt

log = logging.getLogger(__name__)

_PREFIX = "tkt_"
_MAX_LENGTH = 100


class TicketsUnavailable(Exception):
    """Redis is away: no ticket can be issued or used now."""


@dataclass(frozen=True, slots=True)
class Grant:
    """The person of a ticket, until when (Unix ms), and the session, if any, with which it ends."""

    person_id: int
    issued_at_ms: int
    ends_at_ms: int
    session_key: str = ""


def issue(grant: Grant) -> str:
    """Return a new ticket, valid once within `ticket_s`. Raises: `TicketsUnavailable`."""
    ticket = _PREFIX + secrets.token_urlsafe(32)
    # Encrypted, because it may hold a session key, which gives access to the session.
    kept = encrypt(json.dumps(asdict(grant)))
    try:
        client().set(_key(ticket), kept, ex=edge_settings().ticket_s)
    except redis.RedisError as error:
        raise _unavailable(error) from error
    return ticket


def redeem(ticket: str) -> Grant:
    """Delete a ticket and return its grant. Raises: `AuthFailed`, `TicketsUnavailable`."""
    kept = None
    if ticket.startswith(_PREFIX) and len(ticket) <= _MAX_LENGTH and ticket.isascii():
        try:
            kept = client().getdel(_key(ticket))
        except redis.RedisError as error:
            raise _unavailable(error) from error
    try:
        grant = decrypt(kept.decode()) if kept is not None else ""
    except CannotDecrypt:  # issued before its key was removed
        grant = ""
    if not grant:
        raise AuthFailed("invalid_ticket", "Unknown, used or too old; get a new ticket.")
    return Grant(**json.loads(grant))


def _key(ticket: str) -> str:
    return f"tocsin:ticket:{sha256(ticket.encode()).hexdigest()}"


def _unavailable(error: "redis.RedisError") -> TicketsUnavailable:
    log.warning("tickets_unavailable", extra={"error": type(error).__name__})
    return TicketsUnavailable()
