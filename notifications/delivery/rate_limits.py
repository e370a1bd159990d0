"""Rate limits that all workers share: one GCRA script over several keys at once.

A send either has its slot now, or gets the time of its slot, which is reserved: a thousand deferred sends
come back one after the other and not all at once. A limited send is deferred by that wait, never dropped, and
no worker sleeps. A provider's own Retry-After holds the key, also for slots that were reserved before.

GCRA: https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import redis

from notifications.states import Channel
from notifications.transports import registry
from notifications.transports.spec import Limit
from runtime.redis.client import client
from runtime.redis.scripts import Arguments, Script

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ask:
    """One send that wants a slot within `horizon_s`, or has a slot and checks that it still holds."""

    limits: tuple[Limit, ...]  # the widest first
    horizon_s: float
    has_slot: bool = False


LONGEST_HORIZON_S = 60.0  # no send reserves a slot further ahead than this

_GCRA = Script(Path(__file__).with_name("gcra.lua"))

_HOLD = Script(Path(__file__).with_name("hold.lua"))
_STRIKES = 3


def limits_of(channel: Channel, address: str) -> tuple[Limit, ...]:
    """Return the limits of one send, the widest first. Addresses appear only as digests."""
    return registry.spec(channel).limits(address)


def reserve(asks: Sequence[Ask], *, now_ms: int = 0) -> list[float]:
    """Return, for each send, how many seconds it has to wait for its slot: 0 means now.

    A wait below `Ask.horizon_s` is a reservation. While Redis is away nothing is limited: the provider's own
    429 and its Retry-After then slow the sends down.
    """
    try:
        waits_ms = _GCRA.run_many(client(), [_arguments(ask, now_ms) for ask in asks])
        return [int(wait_ms) / 1000 for wait_ms in waits_ms]
    except redis.RedisError as error:
        log.warning("limits_unavailable", extra={"error": type(error).__name__})
        return [0.0] * len(asks)


def _arguments(ask: Ask, now_ms: int) -> Arguments:
    keys = [_key(limit) for limit in ask.limits] + [_hold_key(limit) for limit in ask.limits]
    numbers = [value for limit in ask.limits for value in (limit.interval_ms, limit.burst)]
    longest_ms = LONGEST_HORIZON_S * 1000
    return keys, [min(ask.horizon_s * 1000, longest_ms), now_ms, int(ask.has_slot), longest_ms, *numbers]


def hold(limits: Sequence[Limit], *, wait_s: float, now_ms: int = 0) -> None:
    """Hold the narrowest of these limits for `wait_s`, as the provider asked with its Retry-After.

    If several recipients were refused within a second, hold the widest too.
    """
    if not limits or wait_s <= 0:
        return
    narrow, wide = limits[-1], limits[0]
    keys = (_hold_key(narrow), _hold_key(wide), f"{_hold_key(wide)}.strikes")
    try:
        _HOLD(client(), keys, [now_ms, wait_s * 1000, _STRIKES])
    except redis.RedisError as error:
        log.warning("limits_unavailable", extra={"error": type(error).__name__})


def held_s(limits: Sequence[Limit]) -> float:
    """Return for how long the widest of these limits is held: the provider's wish. Raises: `RedisError`."""
    return max(client().pttl(_hold_key(limits[0])), 0) / 1000 if limits else 0.0


def _key(limit: Limit) -> str:
    return f"limit.{limit.key}"


def _hold_key(limit: Limit) -> str:
    return f"limit.hold.{limit.key}"
