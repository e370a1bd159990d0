"""Stored wordings that could not be used: counted, logged, shown in the admin. Messages go on without them.

The state is in Redis, as all processes see it, and by version: a new version starts without failures. Nothing
here raises, and no more than one message in a second waits for Redis.
"""

import json
import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from notifications.rendering.bounds import TemplateFailed
from runtime.postgres import clock
from runtime.redis import counters
from runtime.redis.client import client
from runtime.redis.counters import SharedCounter

log = logging.getLogger(__name__)

FAILED = SharedCounter(
    "tocsin_template_failures_total",
    "Messages that a stored template could not be used for, by template and kind",
    ["template", "kind"],
)

LOG_EVERY_S = 60.0
_WRITE_EVERY_S = 1.0
_KEPT_S = 7 * 24 * 3600
_SLOW_AT_MOST = 3  # in a row; then the version is not tried for a while: each costs its whole time limit
SUSPENDED_S = 60.0


@dataclass(frozen=True, slots=True)
class Broken:
    """What is known of a version that fails: since when, how often, and the last reason."""

    since: datetime
    count: int
    last: str


@dataclass(slots=True)
class _Local:
    """What this process has not written yet, and when it may log, write and try again."""

    unwritten: int = 0
    log_at_s: float = 0.0
    write_at_s: float = 0.0
    slow: int = 0
    suspended_until_s: float = 0.0


_lock = threading.Lock()
_local: dict[int, _Local] = {}


def is_suspended(version_id: int, *, at_s: float | None = None) -> bool:
    """Return whether a version that took too long is not tried now. `at_s`: the monotonic time."""
    one = _local.get(version_id)
    return one is not None and (time.monotonic() if at_s is None else at_s) < one.suspended_until_s


def note(version_id: int, label: str, failure: TemplateFailed, *, at_s: float | None = None) -> None:
    """Take note that a version could not be used. Never raises. `at_s`: the monotonic time."""
    at_s = time.monotonic() if at_s is None else at_s
    FAILED.add(label.rpartition(", version ")[0] or label, failure.kind)
    with _lock:
        one = _local.setdefault(version_id, _Local())
        one.unwritten += 1
        one.slow = one.slow + 1 if failure.kind == "too_slow" else 0
        if one.slow >= _SLOW_AT_MOST:
            one.slow, one.suspended_until_s = 0, at_s + SUSPENDED_S
        logs, writes = at_s >= one.log_at_s, at_s >= one.write_at_s
        if logs:
            one.log_at_s = at_s + LOG_EVERY_S
        if writes:
            one.write_at_s = at_s + _WRITE_EVERY_S
            count, one.unwritten = one.unwritten, 0
    if logs:
        log.error("template_failed", extra={"template": label, "kind": failure.kind, "reason": failure.text})
    if writes:
        _write(version_id, count, failure)


def noted_success(version_id: int) -> None:
    """End a row of failures that took too long."""
    one = _local.get(version_id)
    if one is not None:
        one.slow = 0


def _write(version_id: int, count: int, failure: TemplateFailed) -> None:
    pipe = client().pipeline(transaction=False)
    key = _key(version_id)
    pipe.hincrby(key, "count", count)
    pipe.hsetnx(key, "since", round(clock.now().timestamp()))
    pipe.hset(key, "last", json.dumps(str(failure)))
    pipe.expire(key, _KEPT_S)
    counters.write(pipe)


def of(version_ids: Iterable[int]) -> dict[int, Broken]:
    """Return which of these versions have failed within a week. Raises: `redis.RedisError`."""
    ids = list(version_ids)
    pipe = client().pipeline(transaction=False)
    for version_id in ids:
        pipe.hgetall(_key(version_id))
    found = dict(zip(ids, pipe.execute(), strict=True))
    return {version_id: _broken(values) for version_id, values in found.items() if values}


def _broken(values: dict[bytes, bytes]) -> Broken:
    since = datetime.fromtimestamp(int(values[b"since"]), UTC)
    return Broken(since, int(values[b"count"]), json.loads(values[b"last"]))


def forget() -> None:
    """Forget what this process has noted. For tests."""
    _local.clear()


def _key(version_id: int) -> str:
    return f"template.{version_id}.failures"
