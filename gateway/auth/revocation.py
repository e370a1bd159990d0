"""Ends open sockets whose credential was revoked: each is checked every 30 to 45 s, and when announced.

Postgres is the record: the person was deactivated, erased or signed out everywhere, the browser session has
ended, the password was changed. An announcement over Redis only speeds the check up.
"""

import contextlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import redis
from django.contrib.sessions.models import Session

from gateway.auth.credentials import Credential
from gateway.hub.threads import in_thread
from gateway.presence.processes import this_process
from gateway.settings import edge_settings
from runtime.loops import per_loop
from runtime.periodic import Periodic
from runtime.postgres import clock
from runtime.redis.client import client
from users.models import User

log = logging.getLogger(__name__)

CHANNEL = "tocsin.revocations"


class SignedIn(Protocol):
    """The sign-in of a socket. `credential` changes when it is renewed."""

    credential: Credential

    def end(self) -> None: ...


def ended(credentials: Mapping[int, Credential], *, now: datetime) -> frozenset[int]:
    """Return the keys of the credentials that are no longer valid. Takes two queries."""
    people = {
        person.pk: person
        for person in User.objects.filter(
            pk__in={one.person.pk for one in credentials.values()}, is_active=True
        ).only("password", "sessions_valid_from")
    }
    keys = {one.session_key for one in credentials.values() if one.session_key}
    open_sessions = (
        Session.objects.filter(pk__in=keys, expire_date__gt=now) if keys else Session.objects.none()
    )
    sessions = frozenset(open_sessions.values_list("pk", flat=True))
    return frozenset(
        key for key, one in credentials.items() if not _valid(one, people.get(one.person.pk), sessions, now)
    )


def _valid(one: Credential, person: User | None, sessions: frozenset[str], now: datetime) -> bool:
    if person is None or one.expires_at <= now:
        return False
    if one.session_key:
        return one.session_key in sessions and one.session_hash == person.get_session_auth_hash()
    return person.sessions_valid_from is None or one.since >= person.sessions_valid_from


def announce(person_ids: Iterable[int]) -> None:
    """Make all gateways check the sockets of these persons now. A hint: they check in any case."""
    ids = list(person_ids)
    try:
        if ids:
            client().publish(CHANNEL, json.dumps(ids))
    except redis.RedisError as error:
        log.warning("revocation_not_announced", extra={"error": type(error).__name__, "persons": len(ids)})


@contextlib.contextmanager
def watching(socket: SignedIn) -> Iterator[None]:
    """Call `socket.end()` once its credential is no longer valid, while the block runs."""
    this_process().listen(CHANNEL, _on_announcement)
    with _rechecks().watching(socket, lambda _: socket.end()):
        yield


def _on_announcement(message: bytes) -> None:
    try:
        person_ids = {int(one) for one in json.loads(message)}
    except (ValueError, TypeError):
        log.warning("revocation_malformed")
        return
    _rechecks().hurry(lambda socket: socket.credential.person.pk in person_ids, at_once=True)


async def _look(sockets: Sequence[SignedIn]) -> dict[SignedIn, None]:
    asked = {number: socket.credential for number, socket in enumerate(sockets)}
    over = await in_thread(ended, asked, now=clock.now())
    # A credential that was renewed meanwhile is checked at its next turn.
    return {sockets[number]: None for number in over if sockets[number].credential is asked[number]}


@per_loop
def _rechecks() -> Periodic[SignedIn, None]:
    return Periodic("recheck", _look, every_s=lambda: edge_settings().recheck_s, jitter=0.5)
