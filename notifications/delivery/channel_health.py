"""How the channels fare, as all workers see it: counts of their sends, and which are degraded and why."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from notifications.delivery import breaker, rate_limits
from notifications.states import AttemptOutcome, Channel
from notifications.transports import registry
from runtime.redis.client import client
from runtime.redis.counters import SharedCounter

SENDS = SharedCounter("tocsin_sends_total", "Sends, by what came of them", ["channel", "outcome"])

_FAILURES_AT_LEAST = 3  # in a row, before they are worth a word: too few sends open no breaker
_REMEMBERED_S = 24 * 3600  # a channel that nothing was sent on for so long is not known to be degraded


def count(
    channel: Channel, outcomes: Sequence[AttemptOutcome], *, providers_fault: int = 0, now: datetime
) -> None:
    """Count sends of one channel, in order: for the metrics, the breaker, and since the last success.

    `providers_fault`: how many of them count against the provider. Never raises.
    """
    calls = len(outcomes)
    for outcome, sends in Counter(outcomes).items():
        SENDS.add(channel.name, outcome.value, by=sends)
    pipe = client().pipeline(transaction=False)
    key = _failing_key(channel)
    if AttemptOutcome.SENT in outcomes:
        pipe.delete(key)
        outcomes = outcomes[len(outcomes) - outcomes[::-1].index(AttemptOutcome.SENT) :]
    if outcomes:
        pipe.hincrby(key, "count", len(outcomes))
        pipe.hsetnx(key, "since", round(now.timestamp()))
        pipe.hset(key, "last", outcomes[-1].value)
        pipe.expire(key, _REMEMBERED_S)
    breaker.record(channel.name, calls=calls, failed=providers_fault, beside=pipe)


def degraded() -> dict[str, str]:
    """Return the channels on which messages wait or fail, with the reason. Raises: `RedisError`."""
    reasons = {channel.name: "; ".join(_reasons(channel)) for channel in _with_provider()}
    return {name: reason for name, reason in reasons.items() if reason}


def open_breakers() -> dict[str, int]:
    """Return 1 for each channel whose breaker is open or still probes, else 0. Raises: `RedisError`."""
    return {channel.name: int(breaker.is_open(channel.name)) for channel in _with_provider()}


def _with_provider() -> list[Channel]:
    return [channel for channel, spec in registry.channels().items() if spec.transport is not None]


def _reasons(channel: Channel) -> list[str]:
    reasons = ["its breaker is open"] if breaker.is_open(channel.name) else []
    if held_s := rate_limits.held_s(rate_limits.limits_of(channel, "")):
        reasons.append(f"held for {held_s:.0f} s by the provider's Retry-After")
    failing = client().hgetall(_failing_key(channel))
    if int(failing.get(b"count", 0)) >= _FAILURES_AT_LEAST:
        since = datetime.fromtimestamp(int(failing[b"since"]), UTC)
        last = failing[b"last"].decode()
        reasons.append(f"no send has succeeded since {since:%Y-%m-%d %H:%M:%S} UTC, the last failed: {last}")
    return reasons


def _failing_key(channel: Channel) -> str:
    return f"breaker.{channel.name}.failing"
