"""Callers of HTTP routes that are open to persons and sources: by API key, JWT or browser session."""

from contextlib import AbstractContextManager
from dataclasses import dataclass

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja.security import HttpBearer
from ninja.utils import check_csrf

from gateway.auth.bearer import AuthFailed, Token, key_of_call, person_of_session, read_token
from users.acting import acting
from users.keys import LiveKey
from users.models import PersonChange, User
from users.people import rights
from users.people.values import Author


@dataclass(frozen=True, slots=True)
class Caller:
    """A source by its `key`, or a `person` by their `token` or their browser session."""

    key: LiveKey | None = None
    person: User | None = None
    token: Token | None = None


class KeyOrPerson(HttpBearer):
    """Puts a `Caller` into `request.auth`. The key of a source needs one of the scopes."""

    def __init__(self, *scopes: str) -> None:
        self._scopes = scopes
        super().__init__()

    def __call__(self, request: HttpRequest) -> Caller:
        return caller_of(request, *self._scopes)  # no coroutine, so it runs on a thread

    def authenticate(self, request: HttpRequest, token: str) -> Caller:
        return caller_of(request, *self._scopes)


class PeopleKey(KeyOrPerson):
    """Like `KeyOrPerson`, for calls about many people: a person is not allowed."""

    def __call__(self, request: HttpRequest) -> Caller:
        caller = super().__call__(request)
        if caller.key is None:
            raise AuthFailed("missing_scope", "Only a source may do this: send the API key of one.")
        return caller


def caller_of(request: HttpRequest, *scopes: str) -> Caller:
    """Return the caller. Calls by browser session that change something need a CSRF token.

    Raises: `AuthFailed`.
    """
    bearer = _bearer(request)
    if bearer.startswith("tsn_"):
        return Caller(key=key_of_call(request, bearer, *scopes))
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


def person_meant(caller: Caller, external_id: str) -> User | None:
    """Return the person in the URL, or None: there is nobody, or a person asks about somebody else.

    A source asks about everybody whom its rule allows. Raises: `AuthFailed` about the others.
    """
    if caller.person is not None:
        return caller.person if external_id in {"me", caller.person.external_id} else None
    check_rule(caller, external_id)
    return None if "\0" in external_id else _live().filter(external_id=external_id).first()


def _live() -> QuerySet[User]:
    """Return everybody who is not erased."""
    return User.objects.filter(erased_at=None)


def check_rule(caller: Caller, external_id: str) -> None:
    """Raise `AuthFailed` if the source must not address or manage this person."""
    if caller.key is not None and not rights.allows(caller.key.people, external_id):
        refused = rights.not_allowed(caller.key.people)
        raise AuthFailed(refused.code, refused.detail)


def acting_as(caller: Caller) -> AbstractContextManager[None]:
    """Return a transaction whose changes are noted as the caller's."""
    return acting(PersonChange.Surface.API, author_of(caller).name)


def author_of(caller: Caller) -> Author:
    """Return who makes the changes that this caller asks for."""
    if caller.key is not None:
        key = caller.key
        return Author(key.source_name, key.source_id, key.may_vouch, key.people)
    assert caller.person is not None
    return Author(caller.person.external_id)
