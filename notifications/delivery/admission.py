"""What may be sent now: the provider's breaker and its rate limits, asked once for a whole batch."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import uniform

from notifications import knobs, store
from notifications.delivery import breaker, rate_limits
from notifications.events import Effects, Ring
from notifications.states import AttemptOutcome, Channel, Priority
from notifications.store import Claimed, Failure, LeaseLost

Clock = Callable[[], datetime]

_SPREAD_S = 8.0  # what got no slot comes back over this time
_AFTER_S = 0.01  # a doorbell must not come before its slot


def admit(rows: Sequence[Claimed], *, clock: Clock) -> tuple[list[Claimed], Effects]:
    """Return the rows that may be sent now; the others are given back or moved on.

    An open breaker moves CRITICAL to its next channel at once and lets the rest wait. A send over the rate
    limit gets the time of its slot, at which it is rung for again.
    """
    effects = Effects()
    free: list[Claimed] = []
    for channel in dict.fromkeys(row.channel for row in rows):
        mine = [row for row in rows if row.channel is channel]
        verdict = breaker.verdict(channel.name)
        if not verdict.open and not verdict.probe:
            free += mine
            continue
        passed = mine[:1] if verdict.probe else []
        free += passed
        effects.add(_divert(mine[len(passed) :], verdict.wait_s, clock()))
    admitted, limited = _within_limits(free, clock())
    effects.add(limited)
    return admitted, effects


def _divert(rows: Sequence[Claimed], wait_s: float, now: datetime) -> Effects:
    effects = Effects()
    waiting = []
    for row in rows:
        if row.priority is not Priority.CRITICAL or row.last:
            waiting.append(row)
            continue
        failure = Failure(row, now, now, AttemptOutcome.CIRCUIT_OPEN, f"{row.channel.name} is down")
        try:
            effects.add(store.record_skipped(failure, now=now))
        except LeaseLost:
            continue
    if waiting:
        # Spread: they must not all come back as one burst when the breaker closes.
        until = [now + timedelta(seconds=wait_s + uniform(0.5, 5)) for _ in waiting]  # noqa: S311
        store.postpone(waiting, until=until, ring_at=until, slots=[False] * len(waiting))
    return effects


def _within_limits(rows: list[Claimed], now: datetime) -> tuple[list[Claimed], Effects]:
    settings = knobs.current()
    asking = [row for row in rows if not row.unusable]
    if not asking or not settings.telegram_per_s:
        return rows, Effects()
    waits = rate_limits.reserve([_ask(row, settings) for row in asking])
    late = [(row, wait_s) for row, wait_s in zip(asking, waits, strict=True) if wait_s > 0]
    if not late:
        return rows, Effects()
    effects = _wait_for_slots(late, now, settings)
    postponed = {row.delivery_id for row, _ in late}
    return [row for row in rows if row.delivery_id not in postponed], effects


def _ask(row: Claimed, settings: knobs.Knobs) -> rate_limits.Ask:
    """CRITICAL may reserve far ahead; what NORMAL has reserved, CRITICAL has to wait for."""
    critical = row.priority is Priority.CRITICAL
    horizon_s = settings.limit_horizon_s if critical else settings.limit_horizon_normal_s
    limits = rate_limits.limits_of(row.channel, row.address, settings)
    return rate_limits.Ask(limits, horizon_s, row.has_slot)


def _wait_for_slots(late: Sequence[tuple[Claimed, float]], now: datetime, settings: knobs.Knobs) -> Effects:
    """Give rows back until their slots. A near slot is rung for to the moment; the sweep alone is a second
    late or early, and a second's worth of sends at once is what the limit forbids."""
    effects = Effects()
    slots, until, ring_at = [], [], []
    for row, wait_s in late:
        has_slot = wait_s < _ask(row, settings).horizon_s
        carried = wait_s <= settings.countdown_max_s
        comes_at = now + timedelta(seconds=wait_s + (0 if has_slot else uniform(0, _SPREAD_S)))  # noqa: S311
        slots.append(has_slot)
        until.append(comes_at)
        if not has_slot or not carried:
            ring_at.append(comes_at)
        elif wait_s > store.SLOT_LEAD_S:
            ring_at.append(comes_at - timedelta(seconds=store.SLOT_LEAD_S))
        else:
            ring_at.append(comes_at + timedelta(seconds=store.GRACE_S))
            effects.rings.append(Ring(row.delivery_id, row.priority, delay_s=wait_s + _AFTER_S, alone=True))
    store.postpone([row for row, _ in late], until=until, ring_at=ring_at, slots=slots)
    return effects


class BatchBreaker:
    """Counts what came of one batch's sends, and stops it once a provider is clearly down."""

    def __init__(self) -> None:
        self._calls: dict[Channel, int] = {}
        self._failed: dict[Channel, int] = {}

    def count(self, channel: Channel, *, failed: bool) -> None:
        self._calls[channel] = self._calls.get(channel, 0) + 1
        self._failed[channel] = self._failed.get(channel, 0) + failed

    def tripped(self, channel: Channel) -> bool:
        calls = self._calls.get(channel, 0)
        return (
            calls >= breaker.CALLS_AT_LEAST and self._failed[channel] / calls >= knobs.current().breaker_share
        )
