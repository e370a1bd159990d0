"""Counters of all processes of all machines, kept in Redis, for `/metrics`.

A worker has no HTTP port, so it cannot be scraped. While Redis is away a process keeps its counts and adds
them later. Counters start again at 0 after Redis has lost its data, as Prometheus expects of a restart.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

import redis
from redis.client import Pipeline

from runtime.redis.client import client

TRY_AGAIN_S = 2.0  # after an error: a caller must not wait for an unavailable Redis at every count

_lock = threading.Lock()
_unwritten: Counter[tuple[str, str]] = Counter()  # by the hash's key and field
_not_before_s = 0.0


class SharedCounter:
    """One counter. The values of its labels are written as one field of a hash.

    Example: `SharedCounter("tocsin_sends_total", "Sends …", ["channel", "outcome"]).inc("EMAIL", "sent")`.
    """

    all: ClassVar[list["SharedCounter"]] = []

    def __init__(self, name: str, text: str, labels: Sequence[str]) -> None:
        self.name, self.text, self.labels = name, text, labels
        self._key = f"counter.{name}"
        SharedCounter.all.append(self)

    def add(self, *labels: str, by: int = 1) -> None:
        """Count in this process; the next `write` of any counter writes it."""
        with _lock:
            _unwritten[self._key, json.dumps(labels)] += by

    def inc(self, *labels: str) -> None:
        """Count, and write. Never raises."""
        self.add(*labels)
        write()

    def values(self) -> dict[tuple[str, ...], int]:
        """Return the counts of all processes, by the values of the labels. Raises: `RedisError`."""
        found = client().hgetall(self._key)
        return {tuple(json.loads(field)): int(count) for field, count in found.items()}


def write(pipe: Pipeline | None = None, *, at_s: float | None = None) -> None:
    """Write what this process has counted, in one round trip with the commands of `pipe`. Never raises.

    `at_s`: the monotonic time, if it is not now.
    """
    global _not_before_s
    at_s = time.monotonic() if at_s is None else at_s
    if at_s < _not_before_s:
        return
    pipe = client().pipeline(transaction=False) if pipe is None else pipe
    try:
        with written_with(pipe):
            pipe.execute()
    except redis.RedisError:
        _not_before_s = at_s + TRY_AGAIN_S


@contextmanager
def written_with(pipe: Pipeline) -> Iterator[None]:
    """Add what this process has counted to `pipe`, which the block executes; keep it if that fails."""
    with _lock:
        counted = dict(_unwritten)
        _unwritten.clear()
    for (key, field), count in counted.items():
        pipe.hincrby(key, field, count)
    try:
        yield
    except redis.RedisError:
        with _lock:
            _unwritten.update(counted)
        raise
