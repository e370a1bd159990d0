"""Callers of HTTP routes that are open to persons and sources: by API key, JWT or browser session."""

from dataclasses import dataclass

from django.http import HttpRequest
from ninja.security import HttpBearer
from ninja.utils import check_csrf

from gateway.auth.bearer import AuthFailed, Token, person_of_session, read_token, require_scope
from runtime.postgres import clock
from users import keys
from users.keys import LiveKey
from users.models import User


@dataclass(frozen=True, slots=True)
class Caller:
    """A source by its `key`, or a `person` by their `token` or their browser session."""

    key: LiveKey | None = None
    person: User | None = None
    token: Token | None = None


class KeyOrPerson(HttpBearer):
    """Puts a `Caller` into `request.auth`. The key of a source needs the scope."""

    def __init__(self, scope: str) -> None:
        self._scope = scope
        super().__init__()

    def __call__(self, request: HttpRequest) -> Caller:
        return caller_of(request, self._scope)  # no coroutine, so it runs on a thread

    def authenticate(self, request: HttpRequest, token: str) -> Caller:
        return caller_of(request, self._scope)


def caller_of(request: HttpRequest, scope: str) -> Caller:
    """Return the caller. Calls by browser session that change something need a CSRF token.

    Raises: `AuthFailed`.
    """
    bearer = _bearer(request)
    if bearer.startswith("tsn_"):
        return Caller(key=_key(bearer, scope))
    if bearer:
        token = read_token(bearer)
        return Caller(person=token.person, token=token)
    person = person_of_session(request)
    if person is None:
        raise AuthFailed("not_signed_in", "Sign in, or send Authorization: Bearer with a token.")
    if request.method not in {"GET", "HEAD"} and check_csrf(request) is not None:
        raise AuthFailed("csrf_failed", "Send the CSRF token in the header X-CSRFToken.")
    return Caller(person=person)


def person_of_request(request: HttpRequest) -> User | None:
    """Return the person of a read-only call, by browser session or JWT. Raises: `AuthFailed`."""
    bearer = _bearer(request)
    if bearer and not bearer.startswith("tsn_"):
        return read_token(bearer).person
    return person_of_session(request)


def _bearer(request: HttpRequest) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _key(bearer: str, scope: str) -> LiveKey:
    return require_scope(keys.authenticate(bearer, now=clock.now()), scope)
