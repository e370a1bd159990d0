"""A circuit breaker per provider, shared by all workers in Redis.

Closed: everything is sent. It opens when, within a window, enough sends failed or were slow. Open: nothing
is sent; CRITICAL goes to the next channel at once, the rest waits. Then a few probes are let through: all
good closes it, one bad opens it again, for longer. When Redis is away each process keeps its own count.
"""

import logging
import threading
import time
from dataclasses import dataclass

import redis

from notifications import knobs
from runtime.redis.client import client

log = logging.getLogger(__name__)

WINDOW_MS = 10_000
CALLS_AT_LEAST = 10
OPEN_MS = 5_000
OPEN_MAX_MS = 60_000
PROBES = 3

# One hash a provider: n, f (calls and failures of the window since w), until (open until), for (how long it
# was opened), p (probes let through), s (probes that went well).
_RECORD = """
local now, calls, failed = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local window, at_least, share = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local open_ms, open_max, probes = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
if now == 0 then
  local time = redis.call('TIME')
  now = math.floor(time[1] * 1000 + time[2] / 1000)
end
local h = {}
local flat = redis.call('HGETALL', KEYS[1])
for i = 1, #flat, 2 do h[flat[i]] = tonumber(flat[i + 1]) end
local until_ = h['until'] or 0
local function open(ms)
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'until', now + ms, 'for', ms)
  redis.call('PEXPIRE', KEYS[1], ms + 600000)
end
if until_ > now then return 1 end
if until_ > 0 then
  if failed > 0 then
    open(math.min((h['for'] or open_ms) * 2, open_max))
    return 1
  end
  local good = redis.call('HINCRBY', KEYS[1], 's', calls)
  if good >= probes then redis.call('DEL', KEYS[1]) return 0 end
  return 2
end
if now - (h['w'] or 0) > window then
  redis.call('HSET', KEYS[1], 'w', now, 'n', 0, 'f', 0)
  h['n'], h['f'] = 0, 0
end
local n, f = (h['n'] or 0) + calls, (h['f'] or 0) + failed
redis.call('HSET', KEYS[1], 'n', n, 'f', f)
redis.call('PEXPIRE', KEYS[1], 600000)
if n >= at_least and f / n >= share then open(open_ms) return 1 end
return 0
"""

_ALLOW = """
local now, probes, stuck_ms = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if now == 0 then
  local time = redis.call('TIME')
  now = math.floor(time[1] * 1000 + time[2] / 1000)
end
local until_ = tonumber(redis.call('HGET', KEYS[1], 'until') or 0)
if until_ == 0 then return {0, 0} end
if until_ > now then return {1, until_ - now} end
local last = tonumber(redis.call('HGET', KEYS[1], 'probed') or 0)
if now - last > stuck_ms then redis.call('HDEL', KEYS[1], 'p', 's') end
if redis.call('HINCRBY', KEYS[1], 'p', 1) > probes then return {1, 1000} end
redis.call('HSET', KEYS[1], 'probed', now)
return {2, 0}
"""


@dataclass(frozen=True, slots=True)
class Decision:
    """May something be sent? `wait_s` is how long it stays open; a probe is one send and no more."""

    open: bool = False
    probe: bool = False
    wait_s: float = 0.0


class _Local:
    """What one process knows by itself while Redis is away: failures in a row."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: dict[str, int] = {}
        self._until: dict[str, float] = {}

    def verdict(self, name: str) -> Decision:
        with self._lock:
            left = self._until.get(name, 0.0) - time.monotonic()
        return Decision(open=left > 0, wait_s=max(left, 0.0))

    def record(self, name: str, calls: int, failed: int) -> None:
        with self._lock:
            self._failures[name] = self._failures.get(name, 0) + failed if failed == calls else 0
            if self._failures[name] >= CALLS_AT_LEAST and knobs.current().breaker_share <= 1:
                self._until[name] = time.monotonic() + OPEN_MS / 1000
                self._failures[name] = 0


_local = _Local()


def forget_local() -> None:
    """Forget what this process counted by itself. For tests."""
    global _local
    _local = _Local()


def verdict(name: str, *, now_ms: int = 0) -> Decision:
    """Ask whether the provider `name` may be called."""
    try:
        state, wait_ms = client().eval(_ALLOW, 1, f"breaker.{name}", now_ms, PROBES, 15_000)
    except redis.RedisError as error:
        log.warning("breaker_unavailable", extra={"error": type(error).__name__})
        return _local.verdict(name)
    return Decision(open=state == 1, probe=state == 2, wait_s=wait_ms / 1000)


def record(name: str, *, calls: int, failed: int, now_ms: int = 0) -> bool:
    """Count what came of sends. Return whether the breaker is open now."""
    _local.record(name, calls, failed)
    share = knobs.current().breaker_share
    settings = (WINDOW_MS, CALLS_AT_LEAST, share, OPEN_MS, OPEN_MAX_MS, PROBES)
    try:
        state = client().eval(_RECORD, 1, f"breaker.{name}", now_ms, calls, failed, *settings)
    except redis.RedisError as error:
        log.warning("breaker_unavailable", extra={"error": type(error).__name__})
        return _local.verdict(name).open
    if state == 1 and failed:
        log.error("breaker_open", extra={"provider": name})
    return bool(state == 1)
