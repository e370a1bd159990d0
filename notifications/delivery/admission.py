"""What may be sent now: checks the provider's breaker and its rate limits, once for a whole batch."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import uniform

from notifications import store
from notifications.delivery import breaker, rate_limits
from notifications.events import Effects, Ring
from notifications.settings import PipelineSettings, pipeline_settings
from notifications.states import AttemptOutcome, Channel, Priority
from notifications.store import Due, Failure, LeaseLost

Clock = Callable[[], datetime]

_SPREAD_S = 8.0  # sends without a slot come back spread over this time
_AFTER_S = 0.01  # a doorbell must not ring before its slot

_LIMIT_HORIZON_NORMAL_S = 4.0  # the same for NORMAL: a CRITICAL send waits for at most this much of it


def admit(rows: Sequence[Due], *, clock: Clock) -> tuple[list[Due], Effects]:
    """Return the rows that may be sent now; the others are postponed or go to their next channel.

    An open breaker sends CRITICAL to its next channel at once and postpones the rest. A send over the rate
    limit is postponed to its slot, when its doorbell rings again.
    """
    effects = Effects()
    free: list[Due] = []
    for channel in dict.fromkeys(row.channel for row in rows):
        mine = [row for row in rows if row.channel is channel]
        decision = breaker.decision(channel.name)
        if not decision.open and not decision.probe:
            free += mine
            continue
        probes = mine[:1] if decision.probe else []
        free += probes
        effects.add(_divert(mine[len(probes) :], decision.wait_s, clock()))
    admitted, limited = _within_limits(free, clock())
    effects.add(limited)
    return admitted, effects


def _divert(rows: Sequence[Due], wait_s: float, now: datetime) -> Effects:
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
        # Spread, so that they do not all come back in one burst when the breaker closes.
        until = [now + timedelta(seconds=wait_s + uniform(0.5, 5)) for _ in waiting]  # noqa: S311
        store.postpone(waiting, until=until, ring_at=until, slots=[False] * len(waiting))
    return effects


def _within_limits(rows: list[Due], now: datetime) -> tuple[list[Due], Effects]:
    settings = pipeline_settings()
    asks = [
        (row, rate_limits.Ask(limits, _horizon_s(row, settings), row.has_slot))
        for row in rows
        if not row.unusable and (limits := rate_limits.limits_of(row.channel, row.address))
    ]
    if not asks:
        return rows, Effects()
    waits = rate_limits.reserve([ask for _, ask in asks])
    late = [(row, wait_s) for (row, _), wait_s in zip(asks, waits, strict=True) if wait_s > 0]
    if not late:
        return rows, Effects()
    effects = _wait_for_slots(late, now, settings)
    postponed = {row.delivery_id for row, _ in late}
    return [row for row in rows if row.delivery_id not in postponed], effects


def _horizon_s(row: Due, settings: PipelineSettings) -> float:
    """Return how far ahead a slot may be: less for NORMAL, since CRITICAL waits for the slots it reserved."""
    critical = row.priority is Priority.CRITICAL
    return rate_limits.LONGEST_HORIZON_S if critical else _LIMIT_HORIZON_NORMAL_S


def _wait_for_slots(late: Sequence[tuple[Due, float]], now: datetime, settings: PipelineSettings) -> Effects:
    """Postpone rows to their slots.

    For a near slot a delayed doorbell rings at the exact time: the sweep can be off by a second, and a
    second's worth of sends at once would break the limit.
    """
    effects = Effects()
    slots, until, ring_at = [], [], []
    for row, wait_s in late:
        has_slot = wait_s < _horizon_s(row, settings)
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
    """Counts the results of one batch's sends, and trips once a provider is clearly down."""

    def __init__(self) -> None:
        self._calls: dict[Channel, int] = {}
        self._failed: dict[Channel, int] = {}

    def count(self, channel: Channel, *, failed: bool) -> None:
        self._calls[channel] = self._calls.get(channel, 0) + 1
        self._failed[channel] = self._failed.get(channel, 0) + failed

    def tripped(self, channel: Channel) -> bool:
        calls = self._calls.get(channel, 0)
        return (
            calls >= breaker.CALLS_AT_LEAST
            and self._failed[channel] / calls >= pipeline_settings().breaker_share
        )
