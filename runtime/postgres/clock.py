"""The database's clock, by which all processes lease, wait and time out.

The clocks of two hosts differ, and step. Each process therefore looks at the database's clock every few
seconds and adds what its own monotonic clock has measured since; no comparison involves its wall clock.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.db import DatabaseError, connection

from runtime.postgres.away import DATABASE_AWAY
from runtime.postgres.connection import close_before_fork

log = logging.getLogger(__name__)

LOOK_EVERY_S = 10.0
_RETRY_S = 1.0
_QUICK_S = 0.2  # a slower answer says too little about when it was given
SKEW_NOTABLE_S = 2.0  # above it an operator should look
SKEW_REFUSED_S = 30.0  # above it no process starts: its Celery waits and tokens would be wrong


class ClockSkew(SystemExit):
    """This host's clock is too far from the database's: the process ends, and says what to do."""


@dataclass(slots=True)
class Clock:
    """One process's view of the database's time. The two clocks are those of `time`, in seconds."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    watchers: list[Callable[[float], None]] = field(default_factory=list)  # called with each look's skew
    _offset_s: float | None = None  # the database's Unix time less the monotonic clock
    _look_at: float = 0.0

    def now(self) -> datetime:
        """Return the database's time; before the first look at it, this host's."""
        if self.monotonic() >= self._look_at:
            self._look_in_time()
        at = self.wall() if self._offset_s is None else self.monotonic() + self._offset_s
        return datetime.fromtimestamp(at, UTC)

    def look(self) -> float:
        """Look at the database's clock, and return how far this host's is ahead. Raises: database errors."""
        with connection.cursor() as cursor:  # connects first, which takes longer than an answer
            before = self.monotonic()
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
            found = float(cursor.fetchone()[0])
            took_s = self.monotonic() - before
        if self._offset_s is None or took_s < _QUICK_S:
            self._offset_s = found - (before + took_s / 2)
        skew_s = self.wall() - (self.monotonic() + self._offset_s)
        self._look_at = self.monotonic() + LOOK_EVERY_S
        for watcher in self.watchers:
            watcher(skew_s)
        return skew_s

    def _look_in_time(self) -> None:
        """Look now, or on a thread if this is an event loop, but never within a transaction."""
        self._look_at = self.monotonic() + _RETRY_S  # no other thread looks too
        if _on_event_loop():
            threading.Thread(target=self._look_on_thread, name="database-clock", daemon=True).start()
        elif self._offset_s is None or not connection.in_atomic_block:
            self._try_to_look()

    def _look_on_thread(self) -> None:
        try:
            self._try_to_look()
        finally:
            connection.close()

    def _try_to_look(self) -> None:
        try:
            self.look()
        except (*DATABASE_AWAY, DatabaseError) as error:
            log.warning("database_clock_not_read", extra={"error": type(error).__name__})


_clock = Clock()
now = _clock.now
watchers = _clock.watchers


def refuse_skew(clock: Clock = _clock) -> None:
    """End this process if its host's clock is too far from the database's. For the start of a process.

    Does nothing while the database is away. Raises: `ClockSkew`.
    """
    try:
        skew_s = clock.look()
    except DATABASE_AWAY:
        return
    finally:
        close_before_fork()
    if abs(skew_s) > SKEW_REFUSED_S:
        raise ClockSkew(
            f"This host's clock is {skew_s:+.0f} s from the database's; {SKEW_REFUSED_S:.0f} s are "
            "allowed. Synchronize the clocks (NTP), then start again."
        )


def _on_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
