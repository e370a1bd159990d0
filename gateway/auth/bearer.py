"""Authentication: a source by its API key, a person by a browser session or a JWT."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest
from ninja.security import HttpBearer

from gateway.auth import key_rates
from notifications.events import SourceGrant
from notifications.states import Priority
from runtime.postgres import clock
from users import keys
from users.keys import LiveKey
from users.models import Source, User
from users.people.values import PeopleRule

TOKEN_LIFE_MAX_S = 900
# What a test key may call beside publishing: one event, which is a simulated one.
_OF_TESTS = re.compile(r"/api/v1/event(s/(?!stats$|replay$).+)?", re.DOTALL)
_LEEWAY_S = 5  # an issuer's clock may be ahead of ours by this
_SECOND = timedelta(microseconds=999_999)


class AuthFailed(Exception):
    """The request is not allowed. `code` is machine-readable, `detail` says what to do."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


def grant_of(source: Source) -> SourceGrant:
    return SourceGrant(
        source.pk,
        source.name,
        frozenset(source.event_types),
        Priority(source.max_priority),
        tuple(source.topic_prefixes),
        link_hosts=tuple(source.link_hosts),
        people=PeopleRule(tuple(source.people_prefixes), tuple(source.people_groups)),
        may_create_people=source.may_create_people,
        may_vouch=source.may_vouch,
        events_per_day=source.events_per_day,
        open_events=source.open_events,
    )


def grant_of_key(key: LiveKey) -> SourceGrant:
    return SourceGrant(
        key.source_id,
        key.source_name,
        frozenset(key.event_types),
        Priority(key.max_priority),
        tuple(key.topic_prefixes),
        link_hosts=tuple(key.link_hosts),
        people=key.people,
        may_create_people=key.may_create_people,
        may_vouch=key.may_vouch,
        events_per_day=key.events_per_day,
        open_events=key.open_events,
        callback=key.callback,
        test=key.test,
    )


class SourceKey(HttpBearer):
    """`Authorization: Bearer tsn_…` with one scope. Puts a `LiveKey` into `request.auth`."""

    def __init__(self, scope: str) -> None:
        self._scope = scope
        super().__init__()

    def __call__(self, request: HttpRequest) -> Any:
        if "Authorization" not in request.headers:
            raise AuthFailed("missing_key", "Send the header Authorization: Bearer tsn_….")
        return super().__call__(request) or self._reject()

    def _reject(self) -> LiveKey:
        return require_scope(None, self._scope)

    async def authenticate(self, request: HttpRequest, token: str) -> LiveKey:
        return await sync_to_async(key_of_call)(request, token, self._scope)


def key_of_call(request: HttpRequest, token: str, *scopes: str) -> LiveKey:
    """Return the key of a call, which counts against its rate. Raises: `AuthFailed`, `RateLimited`."""
    key = require_scope(keys.authenticate(token, now=clock.now()), *scopes)
    if key.test and not _OF_TESTS.fullmatch(request.path_info):
        raise AuthFailed("test_key", "A test key publishes and reads test events alone: use a live key.")
    key_rates.count_call(request, key)
    return key


def require_scope(key: LiveKey | None, *scopes: str) -> LiveKey:
    """Return `key` if it is valid for a call that needs one of `scopes`. Raises: `AuthFailed`."""
    if key is None:
        raise AuthFailed("invalid_key", "Unknown, expired or revoked key; the admin issues keys.")
    if not set(scopes) & set(key.scopes):
        wanted = " or ".join(scopes)
        detail = f"This key lacks the scope {wanted}. An operator issues one with it: admin, Sources."
        raise AuthFailed("missing_scope", detail)
    return key


def person_of_session(request: HttpRequest) -> User | None:
    """Return the signed-in person of a browser session."""
    user = request.user
    return user if isinstance(user, User) and user.is_active else None


@dataclass(frozen=True, slots=True)
class Token:
    """A valid JWT: its person, the latest moment at which it can have been issued, and its end."""

    person: User
    issued_at: datetime
    expires_at: datetime


def read_token(token: str, *, now: Callable[[], datetime] = clock.now) -> Token:
    """Verify a JWT and return its content; `sub` is the external id of the person.

    EdDSA or RS256, with `aud`, `iss` if issuers are configured, and `exp` at most 15 minutes ahead. Without
    `iat` it counts as issued 15 minutes before `exp`.
    Raises: `AuthFailed`.
    """
    claims, current = _claims(token), now()
    expires_s, issued_s, valid_s = (_seconds(claims, name) for name in ("exp", "iat", "nbf"))
    if expires_s <= current.timestamp():
        raise _expired()
    if max(issued_s, valid_s) > current.timestamp() + _LEEWAY_S:
        raise AuthFailed("invalid_token", "iat or nbf is in the future: compare the issuer's clock.")
    if expires_s - int(current.timestamp()) > TOKEN_LIFE_MAX_S:
        raise AuthFailed("token_too_long", f"exp may be at most {TOKEN_LIFE_MAX_S} s ahead.")
    sub = str(claims["sub"])
    user = None if "\0" in sub else User.objects.filter(external_id=sub, is_active=True).first()
    if user is None:
        raise AuthFailed("unknown_user", "Nobody has the external id in sub.")
    issued_s = max(issued_s, expires_s - TOKEN_LIFE_MAX_S)
    # A token has whole seconds: one of the second of a revocation may be the new one.
    issued_at = min(current, datetime.fromtimestamp(issued_s, UTC) + _SECOND)
    found = Token(user, issued_at, datetime.fromtimestamp(expires_s, UTC))
    if user.sessions_valid_from is not None and found.issued_at < user.sessions_valid_from:
        raise AuthFailed("token_revoked", "The person was signed out everywhere; get a new token.")
    return found


def _expired() -> AuthFailed:
    return AuthFailed("token_expired", "Get a new token and connect again.")


def _seconds(claims: dict[str, Any], name: str) -> int:
    """Return a claim of time in whole Unix seconds, 0 without it. Raises: `AuthFailed`."""
    try:
        return int(claims.get(name) or 0)
    except (TypeError, ValueError, OverflowError) as error:
        raise AuthFailed("invalid_token", f"{name} is no time in Unix seconds.") from error


# Not by this host's clock: `read_token` compares the times with the database's.
_OPTIONS: Any = {
    "require": ["exp", "sub", "aud"],
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


def _claims(token: str) -> dict[str, Any]:
    for key in settings.JWT_PUBLIC_KEYS:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=["EdDSA", "RS256"],
                audience=settings.JWT_AUDIENCE,
                issuer=settings.JWT_ISSUERS or None,
                options=_OPTIONS,
            )
        except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError, jwt.InvalidKeyError):
            continue
        except (jwt.PyJWTError, OverflowError, TypeError) as error:  # the latter: malformed times
            raise AuthFailed("invalid_token", f"{type(error).__name__}: not a usable token.") from error
        else:
            return claims
    raise AuthFailed("invalid_token", "No configured key has signed this token.")
