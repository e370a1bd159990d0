"""A circuit breaker per provider, shared by all workers in Redis.

Closed: everything is sent. It opens when enough sends within a window failed or were slow. Open: nothing is
sent; CRITICAL goes to the next channel at once, and the rest waits. When the open time ends, a few probes are
let through: if all succeed it closes; if one fails it opens again, for longer. While Redis is away each
process keeps its own count.
"""

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import redis
from redis.client import Pipeline

from notifications.settings import pipeline_settings
from runtime.redis import counters
from runtime.redis.client import client
from runtime.redis.scripts import Script

log = logging.getLogger(__name__)

WINDOW_MS = 10_000
CALLS_AT_LEAST = 10
OPEN_MS = 5_000
OPEN_MAX_MS = 60_000
PROBES = 3
_STUCK_MS = 15_000  # probes without a result for so long are forgotten

_RECORD = Script(Path(__file__).with_name("breaker_record.lua"))
_ALLOW = Script(Path(__file__).with_name("breaker_allow.lua"))


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether sends are allowed. `wait_s`: how long it stays open. `probe`: one send is allowed."""

    open: bool = False
    probe: bool = False
    wait_s: float = 0.0


class _Local:
    """The count of one process, for when Redis is away: consecutive failures."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: dict[str, int] = {}
        self._until: dict[str, float] = {}

    def decision(self, name: str) -> Decision:
        with self._lock:
            left = self._until.get(name, 0.0) - time.monotonic()
        return Decision(open=left > 0, wait_s=max(left, 0.0))

    def record(self, name: str, calls: int, failed: int) -> None:
        with self._lock:
            self._failures[name] = self._failures.get(name, 0) + failed if failed == calls else 0
            if self._failures[name] >= CALLS_AT_LEAST and pipeline_settings().breaker_share <= 1:
                self._until[name] = time.monotonic() + OPEN_MS / 1000
                self._failures[name] = 0


_local = _Local()


def forget_local() -> None:
    """Reset the count of this process. For tests."""
    global _local
    _local = _Local()


def decision(name: str, *, now_ms: int = 0) -> Decision:
    """Return whether the provider `name` may be called."""
    try:
        state, wait_ms = _ALLOW(client(), [f"breaker.{name}"], [now_ms, PROBES, _STUCK_MS])
    except redis.RedisError as error:
        log.warning("breaker_unavailable", extra={"error": type(error).__name__})
        return _local.decision(name)
    return Decision(open=state == 1, probe=state == 2, wait_s=wait_ms / 1000)


def is_open(name: str) -> bool:
    """Return whether it is open, or was and has not closed since. Takes no probe. Raises: `RedisError`."""
    return bool(client().hexists(f"breaker.{name}", "until"))


def record(name: str, *, calls: int, failed: int, now_ms: int = 0, beside: Pipeline | None = None) -> bool:
    """Count the results of sends. Return whether the breaker is open now.

    One round trip, with the commands of `beside` and what this process has counted for `/metrics`.
    """
    pipe = client().pipeline(transaction=False) if beside is None else beside
    _local.record(name, calls, failed)
    share = pipeline_settings().breaker_share
    settings = (WINDOW_MS, CALLS_AT_LEAST, share, OPEN_MS, OPEN_MAX_MS, PROBES)
    try:
        with counters.written_with(pipe):
            state = _RECORD.run_last(pipe, [f"breaker.{name}"], [now_ms, calls, failed, *settings])
    except redis.RedisError as error:
        log.warning("breaker_unavailable", extra={"error": type(error).__name__})
        return _local.decision(name).open
    if state == 1 and failed:
        log.error("breaker_open", extra={"provider": name})
    return bool(state == 1)
