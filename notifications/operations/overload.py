"""Load shedding: above a bound on open deliveries new events are refused, NORMAL ones first.

The number is an estimate. The control worker counts every few seconds and leaves it in Redis, which may lose
it; every ingress process reads it in the background, so no request waits for it. What is not known refuses
nothing, and what was accepted is never touched.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import redis

from notifications import store
from notifications.events import Ack, Envelope, rejected_ack
from notifications.settings import pipeline_settings
from notifications.states import Priority
from runtime.batching import ThreadBatcher
from runtime.postgres import clock
from runtime.redis.client import client

log = logging.getLogger(__name__)

KEY = "overload.open_rows"
CRITICAL_FACTOR = 10  # CRITICAL events are refused above this many times the bound
_KEPT_S = 60
_SOON = timedelta(hours=1)  # what is held until later is no load now
_READ_EVERY_S = 1.0
_STALE_AFTER_S = 5.0  # an older number, such as that of a process without traffic, says nothing


def measure() -> int:
    """Count the open deliveries, up to the highest bound, and leave the number for the ingress processes.

    Raises: `redis.RedisError`.
    """
    most = CRITICAL_FACTOR * pipeline_settings().open_rows_max + 1
    count = store.backlog.count_open(limit=most, before=clock.now() + _SOON)
    client().set(KEY, count, ex=_KEPT_S)
    return count


class _OpenRows:
    """The number as this process has read it last."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._count = 0
        self._asked_at = self._read_at = 0.0
        self._reader = ThreadBatcher[None]("open-rows", lambda _: self.read())

    def read(self) -> None:
        """Read the number now; without Redis it is not known, and counts as 0."""
        try:
            self._count = int(client().get(KEY) or 0)
        except redis.RedisError as error:
            log.warning("open_rows_unknown", extra={"error": type(error).__name__})
            self._count = 0
        self._read_at = self._clock()

    def count(self) -> int:
        """Return the number of a few seconds ago, without waiting; 0 if it was not read lately."""
        now = self._clock()
        if now - self._asked_at >= _READ_EVERY_S:
            self._asked_at = now
            self._reader.put(None)
        return self._count if now - self._read_at < _STALE_AFTER_S else 0


open_rows = _OpenRows()


def refused_priorities() -> frozenset[Priority]:
    """Return the priorities of events to refuse now. INFORMATIONAL events are not stored, so they go on."""
    bound = pipeline_settings().open_rows_max
    if not bound:
        return frozenset()
    count = open_rows.count()
    if count > CRITICAL_FACTOR * bound:
        return frozenset({Priority.NORMAL, Priority.CRITICAL})
    return frozenset({Priority.NORMAL} if count > bound else ())


def refusal(envelope: Envelope, now: datetime) -> Ack:
    """Return the ack of an event that is refused for now."""
    detail = "Too much is waiting. Send it again with the same event_id, after Retry-After or half a minute."
    return rejected_ack(envelope.event_id, "overloaded", detail, now)
