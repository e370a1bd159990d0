"""Credentials of persons: a browser session, a JWT or a ticket. Each expires."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.contrib.sessions.models import Session

from gateway.auth import tickets
from gateway.auth.bearer import AuthFailed, read_token
from notifications.live.frames import to_ms
from runtime.postgres import clock
from users.models import User


@dataclass(frozen=True, slots=True)
class Credential:
    """Revocations before `since` do not affect it. With `session_key` it also ends with that session."""

    person: User
    since: datetime
    expires_at: datetime
    session_key: str = ""
    session_hash: str = ""


def of_session(person: User, session_key: str) -> Credential:
    """Return the credential of a browser session. Raises: `AuthFailed` if it has ended."""
    now = clock.now()
    ends = Session.objects.filter(pk=session_key, expire_date__gt=now).values_list("expire_date", flat=True)
    expires_at = ends.first()
    if expires_at is None:
        raise AuthFailed("not_signed_in", "The browser session has ended; sign in again.")
    return Credential(person, now, expires_at, session_key, person.get_session_auth_hash())


def of_token(token: str) -> Credential:
    """Return the credential of a JWT. Raises: `AuthFailed`."""
    found = read_token(token)
    return Credential(found.person, found.issued_at, found.expires_at)


def of_ticket(ticket: str) -> Credential:
    """Redeem a ticket and return its credential. Raises: `AuthFailed`, `tickets.TicketsUnavailable`."""
    grant = tickets.redeem(ticket)
    person = User.objects.filter(pk=grant.person_id, is_active=True).first()
    since = datetime.fromtimestamp(grant.issued_at_ms / 1000, UTC)
    revoked_until = None if person is None else person.sessions_valid_from
    if person is None or (revoked_until is not None and grant.issued_at_ms < to_ms(revoked_until)):
        raise AuthFailed("invalid_ticket", "The person was signed out since; get a new ticket.")
    if grant.session_key:
        return of_session(person, grant.session_key)
    return Credential(person, since, datetime.fromtimestamp(grant.ends_at_ms / 1000, UTC))


def of_frame(frame: Mapping[str, Any]) -> Credential:
    """Return the credential of an `auth` frame, which has either a `token` or a `ticket`.

    Raises: `AuthFailed`, `tickets.TicketsUnavailable`.
    """
    token, ticket = frame.get("token"), frame.get("ticket")
    if isinstance(token, str) and ticket is None:
        return of_token(token)
    if isinstance(ticket, str) and token is None:
        return of_ticket(ticket)
    raise AuthFailed("auth_required", "Send auth with a token or a ticket.")
