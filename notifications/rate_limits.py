"""Rate limits that all workers share: one GCRA script over several keys at once.

A send either has its slot now, or is told when its slot comes: the slot is reserved then, so that a
thousand deferred sends come back one after the other and not all at once. A limited send is deferred by
that wait, never dropped, and no worker sleeps for it.

GCRA: https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm. Telegram's limits:
https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import redis

from notifications import knobs, live
from notifications.states import Channel

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limit:
    """`count` sends per `period_s` on `key`, of which `burst` may come at once."""

    key: str
    count: int
    period_s: float
    burst: int = 1

    @property
    def interval_ms(self) -> float:
        return self.period_s * 1000 / self.count


# KEYS: one a limit. ARGV: horizon in ms, now in ms or 0 for the server's clock, then interval and burst of
# each key. Returns the wait in ms; up to the horizon the slot is reserved, beyond it nothing is taken.
_GCRA = """
local horizon, now = tonumber(ARGV[1]), tonumber(ARGV[2])
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + time[2] / 1000
end
local start, wait = {}, 0
for i, key in ipairs(KEYS) do
  local interval, burst = tonumber(ARGV[1 + 2 * i]), tonumber(ARGV[2 + 2 * i])
  local tat = math.max(tonumber(redis.call('GET', key) or now), now)
  start[i] = tat
  wait = math.max(wait, tat - (burst - 1) * interval - now)
end
if wait > horizon then return math.ceil(horizon) end
for i, key in ipairs(KEYS) do
  local tat = start[i] + tonumber(ARGV[1 + 2 * i])
  redis.call('SET', key, tat, 'PX', math.ceil(tat - now) + 1000)
end
return math.ceil(wait)
"""


def limits_of(channel: Channel, address: str, settings: knobs.Knobs) -> tuple[Limit, ...]:
    """Return the limits of one send. Addresses appear only as digests."""
    if channel is Channel.TELEGRAM:
        group = address.startswith(("-", "@"))
        chat = f"telegram.chat.{_digest(address)}"
        per_chat = Limit(chat, 20, 60.0) if group else Limit(chat, 1, 1.0)
        per_bot = Limit("telegram.bot", settings.telegram_per_s, 1.0, burst=settings.telegram_per_s)
        return (per_bot, per_chat)
    if channel is Channel.EMAIL:
        domain = address.rpartition("@")[2].lower()
        return (Limit(f"email.domain.{_digest(domain)}", 20, 1.0, burst=20),)
    return ()


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]


def reserve(sends: Sequence[tuple[Limit, ...]], *, horizon_s: float, now_ms: int = 0) -> list[float]:
    """Return, for each send, how many seconds it has to wait for its slot: 0 means now.

    A wait below `horizon_s` is a reservation. When Redis is away nothing is limited: the provider's own
    429 and its Retry-After then do what this would have done.
    """
    try:
        pipe = live.client().pipeline(transaction=False)
        for limits in sends:
            numbers = [value for limit in limits for value in (limit.interval_ms, limit.burst)]
            keys = [f"limit.{limit.key}" for limit in limits]
            pipe.eval(_GCRA, len(keys), *keys, horizon_s * 1000, now_ms, *numbers)
        return [int(wait_ms) / 1000 for wait_ms in pipe.execute()]
    except redis.RedisError as error:
        log.warning("limits_unavailable", extra={"error": type(error).__name__})
        return [0.0] * len(sends)
