"""What may be sent now: the provider's breaker and its rate limits, asked once for a whole batch."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import uniform

from notifications import breaker, knobs, rate_limits, store
from notifications.events import Aftermath
from notifications.states import AttemptOutcome, Channel, Priority
from notifications.store import Claimed, Failure, LeaseLost

Clock = Callable[[], datetime]


def admit(rows: Sequence[Claimed], *, clock: Clock) -> tuple[list[Claimed], Aftermath]:
    """Return the rows that may be sent now; the others are given back or moved on.

    An open breaker moves CRITICAL to its next channel at once and lets the rest wait. A send over the rate
    limit gets the time of its slot, at which the sweep rings.
    """
    aftermath = Aftermath()
    free: list[Claimed] = []
    for channel in dict.fromkeys(row.channel for row in rows):
        mine = [row for row in rows if row.channel is channel]
        verdict = breaker.verdict(channel.name)
        if not verdict.open and not verdict.probe:
            free += mine
            continue
        passed = mine[:1] if verdict.probe else []
        free += passed
        aftermath.add(_divert(mine[len(passed) :], verdict.wait_s, clock()))
    return _within_limits(free, clock()), aftermath


def _divert(rows: Sequence[Claimed], wait_s: float, now: datetime) -> Aftermath:
    aftermath = Aftermath()
    waiting = []
    for row in rows:
        if row.priority is not Priority.CRITICAL or row.last:
            waiting.append(row)
            continue
        failure = Failure(row, now, now, AttemptOutcome.CIRCUIT_OPEN, f"{row.channel.name} is down")
        try:
            aftermath.add(store.skip(failure, now=now))
        except LeaseLost:
            continue
    if waiting:
        # Spread: they must not all come back as one burst when the breaker closes.
        until = [now + timedelta(seconds=wait_s + uniform(0.5, 5)) for _ in waiting]  # noqa: S311
        store.postpone(waiting, until=until, slots=[False] * len(waiting))
    return aftermath


def _within_limits(rows: list[Claimed], now: datetime) -> list[Claimed]:
    settings = knobs.current()
    asking = [row for row in rows if not row.has_slot and not row.unusable]
    if not asking or not settings.telegram_per_s:
        return rows
    limits = [rate_limits.limits_of(row.channel, row.address, settings) for row in asking]
    waits = rate_limits.reserve(limits, horizon_s=settings.limit_horizon_s)
    late = [(row, wait_s) for row, wait_s in zip(asking, waits, strict=True) if wait_s > 0]
    if not late:
        return rows
    store.postpone(
        [row for row, _ in late],
        until=[now + timedelta(seconds=wait_s) for _, wait_s in late],
        slots=[wait_s < settings.limit_horizon_s for _, wait_s in late],
    )
    postponed = {row.delivery_id for row, _ in late}
    return [row for row in rows if row.delivery_id not in postponed]


class Fuse:
    """Counts what came of one batch's sends, and stops it once a provider is clearly down."""

    def __init__(self) -> None:
        self._calls: dict[Channel, int] = {}
        self._failed: dict[Channel, int] = {}

    def count(self, channel: Channel, *, failed: bool) -> None:
        self._calls[channel] = self._calls.get(channel, 0) + 1
        self._failed[channel] = self._failed.get(channel, 0) + failed

    def blown(self, channel: Channel) -> bool:
        calls = self._calls.get(channel, 0)
        return (
            calls >= breaker.CALLS_AT_LEAST and self._failed[channel] / calls >= knobs.current().breaker_share
        )
