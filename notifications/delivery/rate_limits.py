"""Rate limits that all workers share: one GCRA script over several keys at once.

A send either has its slot now, or is told when its slot comes: the slot is reserved then, so that a
thousand deferred sends come back one after the other and not all at once. A limited send is deferred by
that wait, never dropped, and no worker sleeps for it. A provider's own Retry-After holds the key, also for
slots that were reserved before.

GCRA: https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm. Telegram's limits:
https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import redis

from notifications import knobs
from notifications.states import Channel
from runtime.redis.client import client

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


@dataclass(frozen=True, slots=True)
class Ask:
    """One send that wants a slot within `horizon_s`, or has one and asks whether it still stands."""

    limits: tuple[Limit, ...]  # the widest first
    horizon_s: float
    has_slot: bool = False


_NOW = """
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + time[2] / 1000
end
"""

# KEYS: one a limit, then the hold of each. ARGV: horizon in ms, now in ms or 0 for the server's clock, 1 if
# there is a slot, then interval and burst of each limit. Returns the wait in ms; below the horizon the slot
# is reserved, from there on nothing is taken.
_GCRA = f"""
local horizon, now, slot = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] == '1'
{_NOW}
local limits, start, wait, held = #KEYS / 2, {{}}, 0, false
for i = 1, limits do
  local interval, burst = tonumber(ARGV[2 + 2 * i]), tonumber(ARGV[3 + 2 * i])
  local hold = tonumber(redis.call('GET', KEYS[limits + i]) or now)
  local tat = math.max(tonumber(redis.call('GET', KEYS[i]) or now), now)
  if hold > now then
    held = true
    tat = math.max(tat, hold + (burst - 1) * interval)
  end
  start[i] = tat
  wait = math.max(wait, tat - (burst - 1) * interval - now)
end
if slot and not held then return 0 end
if wait >= horizon then return math.ceil(horizon) end
for i = 1, limits do
  local tat = start[i] + tonumber(ARGV[2 + 2 * i])
  redis.call('SET', KEYS[i], tat, 'PX', math.ceil(tat - now) + 1000)
end
return math.ceil(wait)
"""

# KEYS: the narrow hold, the wide hold, the strikes of the wide one. ARGV: now, the wait in ms, strikes that
# make it everybody's. Several recipients refused within a second: the whole bot is limited, not a chat.
_HOLD = f"""
local now, wait = tonumber(ARGV[1]), tonumber(ARGV[2])
{_NOW}
redis.call('SET', KEYS[1], now + wait, 'PX', math.ceil(wait))
local strikes = redis.call('INCR', KEYS[3])
if strikes == 1 then redis.call('PEXPIRE', KEYS[3], 1000) end
if strikes >= tonumber(ARGV[3]) then redis.call('SET', KEYS[2], now + wait, 'PX', math.ceil(wait)) end
"""
_STRIKES = 3
_BURST = 5  # with the default rate of 25 it stays below what Telegram allows in any one second


def limits_of(channel: Channel, address: str, settings: knobs.Knobs) -> tuple[Limit, ...]:
    """Return the limits of one send. Addresses appear only as digests."""
    if channel is Channel.TELEGRAM:
        group = address.startswith(("-", "@"))
        chat = f"telegram.chat.{_digest(address)}"
        per_chat = Limit(chat, 20, 60.0) if group else Limit(chat, 1, 1.0)
        per_bot = Limit("telegram.bot", settings.telegram_per_s, 1.0, burst=_BURST)
        return (per_bot, per_chat)
    if channel is Channel.EMAIL:
        domain = address.rpartition("@")[2].lower()
        return (Limit(f"email.domain.{_digest(domain)}", 20, 1.0, burst=20),)
    return ()


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]


def reserve(asks: Sequence[Ask], *, now_ms: int = 0) -> list[float]:
    """Return, for each send, how many seconds it has to wait for its slot: 0 means now.

    A wait below the ask's `horizon_s` is a reservation. When Redis is away nothing is limited: the
    provider's own 429 and its Retry-After then do what this would have done.
    """
    try:
        pipe = client().pipeline(transaction=False)
        for ask in asks:
            numbers = [value for limit in ask.limits for value in (limit.interval_ms, limit.burst)]
            keys = [_key(limit) for limit in ask.limits] + [_hold_key(limit) for limit in ask.limits]
            pipe.eval(_GCRA, len(keys), *keys, ask.horizon_s * 1000, now_ms, int(ask.has_slot), *numbers)
        return [int(wait_ms) / 1000 for wait_ms in pipe.execute()]
    except redis.RedisError as error:
        log.warning("limits_unavailable", extra={"error": type(error).__name__})
        return [0.0] * len(asks)


def hold(limits: Sequence[Limit], *, wait_s: float, now_ms: int = 0) -> None:
    """Send nothing more under the narrowest of these limits for `wait_s`: the provider asked for it.

    When several recipients were refused within a second, nothing more under the widest either.
    """
    if not limits or wait_s <= 0:
        return
    narrow, wide = limits[-1], limits[0]
    keys = (_hold_key(narrow), _hold_key(wide), f"{_hold_key(wide)}.strikes")
    try:
        client().eval(_HOLD, len(keys), *keys, now_ms, wait_s * 1000, _STRIKES)
    except redis.RedisError as error:
        log.warning("limits_unavailable", extra={"error": type(error).__name__})


def _key(limit: Limit) -> str:
    return f"limit.{limit.key}"


def _hold_key(limit: Limit) -> str:
    return f"limit.hold.{limit.key}"
