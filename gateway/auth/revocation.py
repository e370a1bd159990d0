"""Whether open sockets may stay open: each is looked up again every 30 to 45 s, and when somebody says so.

Postgres is the record: a person who was deactivated, erased or signed out everywhere, a browser session
that has ended, a password that was changed. An announcement over Redis only makes it quick.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import count
from random import random
from typing import Protocol

import redis
from django.contrib.sessions.models import Session
from django.utils import timezone

from gateway.auth.credentials import Credential
from gateway.hub.threads import in_thread
from gateway.presence.processes import this_process
from notifications import knobs
from runtime.loops import per_loop
from runtime.postgres.away import DATABASE_AWAY
from runtime.redis.client import client
from users.models import User

log = logging.getLogger(__name__)

CHANNEL = "tocsin.revocations"
_AT_ONCE = 1_000
_AGAIN_S = 5.0


class SignedIn(Protocol):
    """A socket's sign-in as this module sees it; `credential` changes when it is renewed."""

    credential: Credential

    def end(self) -> None: ...


def ended(credentials: Mapping[int, Credential], *, now: datetime) -> frozenset[int]:
    """Return the keys of those that do not count any more. Two queries for all of them."""
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
        key for key, one in credentials.items() if not _counts(one, people.get(one.person.pk), sessions, now)
    )


def _counts(one: Credential, person: User | None, sessions: frozenset[str], now: datetime) -> bool:
    if person is None or one.expires_at <= now:
        return False
    if one.session_key:
        return one.session_key in sessions and one.session_hash == person.get_session_auth_hash()
    return person.sessions_valid_from is None or one.since >= person.sessions_valid_from


def announce(person_ids: Iterable[int]) -> None:
    """Have all gateways look at the sockets of these persons now. A hint: they look anyway."""
    ids = list(person_ids)
    try:
        if ids:
            client().publish(CHANNEL, json.dumps(ids))
    except redis.RedisError as error:
        log.warning("revocation_not_announced", extra={"error": type(error).__name__, "persons": len(ids)})


class Revocations:
    """One per event loop."""

    def __init__(self) -> None:
        self._watched: dict[int, SignedIn] = {}
        self._numbers = count()
        self._heard: set[int] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def watching(self, socket: SignedIn) -> Iterator[None]:
        """Call `socket.end()` once its credential counts no more, while the block runs."""
        number = next(self._numbers)
        self._watched[number] = socket
        this_process().listen(CHANNEL, self._hear)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())
        try:
            yield
        finally:
            del self._watched[number]

    def _hear(self, message: bytes) -> None:
        try:
            self._heard.update(int(one) for one in json.loads(message))
        except (ValueError, TypeError):
            log.warning("revocation_malformed")
            return
        self._wake.set()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + _pause_s()
        while self._watched:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), max(0.0, due - loop.time()))
            self._wake.clear()
            heard, self._heard = self._heard, set()
            everybody = loop.time() >= due
            well = await self._look(lambda one, heard=heard, all_=everybody: all_ or one in heard)  # type: ignore[misc]
            if everybody or not well:
                due = loop.time() + (_pause_s() if well else _AGAIN_S)

    async def _look(self, wanted: Callable[[int], bool]) -> bool:
        """Look up the sockets of those persons; return whether that was possible."""
        numbers = [number for number, one in self._watched.items() if wanted(one.credential.person.pk)]
        for start in range(0, len(numbers), _AT_ONCE):
            part = [number for number in numbers[start : start + _AT_ONCE] if number in self._watched]
            asked = {number: self._watched[number].credential for number in part}
            try:
                over = await in_thread(ended, asked, now=timezone.now())
            except DATABASE_AWAY as error:
                log.warning("recheck_postponed", extra={"error": type(error).__name__})
                return False
            except Exception:  # the look-up itself must not end with one socket's trouble
                log.exception("recheck_failed")
                return False
            self._end(over, asked)
        return True

    def _end(self, over: Iterable[int], asked: Mapping[int, Credential]) -> None:
        for number in over:
            socket = self._watched.get(number)
            if socket is not None and socket.credential is asked[number]:  # renewed meanwhile: looked up then
                socket.end()


def _pause_s() -> float:
    return knobs.current().recheck_s * (1 + random() / 2)  # noqa: S311


@per_loop
def revocations() -> Revocations:
    """Return those of the running event loop."""
    return Revocations()
