"""Waiting: for the final acks of single events, and for room in the journal."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import DefaultDict, List

from tocsin.errors import JournalFull

LOOK_EVERY_S = 0.25  # another process may send for us

Called = Callable[[], None]


class Waiters:
    """Calls who waits for an event, once something has become of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: DefaultDict[str, List[Called]] = defaultdict(list)

    def add(self, event_id: str, call: Called) -> None:
        with self._lock:
            self._waiting[event_id].append(call)

    def remove(self, event_id: str, call: Called) -> None:
        with self._lock:
            if call in self._waiting[event_id]:
                self._waiting[event_id].remove(call)
            if not self._waiting[event_id]:
                del self._waiting[event_id]

    def wake(self, event_ids: Iterable[str]) -> None:
        with self._lock:
            calls = [call for one in event_ids if one in self._waiting for call in self._waiting[one]]
        for call in calls:
            call()


class Room:
    """How many events without a final ack the journal may still take."""

    def __init__(self, most: int, count: Callable[[], int]) -> None:
        self._most = most
        self._count = count
        self._open = count()
        self._changed = threading.Condition()

    def take(self, number: int, *, timeout_s: float) -> None:
        """Take room for so many, waiting for it. Raises: `JournalFull`."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while self._open + number > self._most and self._recount() + number > self._most:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise JournalFull(f"{self._open} events wait for their final acks; {self._most} may.")
                self._changed.wait(min(left_s, LOOK_EVERY_S))
            self._open += number

    def give_back(self, number: int) -> None:
        with self._changed:
            self._open -= number
            self._changed.notify_all()

    def _recount(self) -> int:
        """Count again: other processes take and give back too."""
        self._open = self._count()
        return self._open
