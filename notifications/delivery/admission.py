"""What may be sent now: checks the provider's breaker and its rate limits, once for a whole batch."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import uniform

from notifications import store
from notifications.delivery import breaker, rate_limits, waits
from notifications.delivery.waits import Wait
from notifications.effects import Effects, Ring
from notifications.settings import pipeline_settings
from notifications.states import Channel, Priority, WaitReason
from notifications.store import Due
from notifications.transports.spec import Limit

Clock = Callable[[], datetime]

_SPREAD_S = 8.0  # sends without a slot come back spread over this time
_AFTER_S = 0.01  # a doorbell must not ring before its slot

_LIMIT_HORIZON_NORMAL_S = 4.0  # the same for NORMAL: a CRITICAL send waits for at most this much of it


def admit(rows: Sequence[Due], *, clock: Clock) -> tuple[list[Due], Effects]:
    """Return the rows that may be sent now; the others are postponed or go to their next channel.

    An open breaker sends CRITICAL to its next channel at once and postpones the rest. A send over the rate
    limit is postponed to its slot, when its doorbell rings again, or goes to its next channel if that is too
    far ahead for its priority.
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
        effects.add(_wait_for_breaker(mine[len(probes) :], decision.wait_s, clock()))
    admitted, limited = _within_limits(free, clock())
    effects.add(limited)
    return admitted, effects


def _wait_for_breaker(rows: Sequence[Due], wait_s: float, now: datetime) -> Effects:
    # Spread, so that they do not all come back in one burst when the breaker closes.
    until = [now + timedelta(seconds=wait_s + uniform(0.5, 5)) for _ in rows]  # noqa: S311
    return waits.wait_or_leave(list(map(Wait, rows, until)), WaitReason.BREAKER_OPEN, now)


@dataclass(frozen=True, slots=True)
class _Slot:
    """A send that asked for a slot within its horizon; from the horizon on nothing is reserved for it."""

    row: Due
    limits: tuple[Limit, ...]
    horizon_s: float
    wait_s: float = 0.0

    @property
    def reserved(self) -> bool:
        return self.wait_s < self.horizon_s

    @property
    def carried(self) -> bool:
        """A doorbell can be timed for it."""
        return self.reserved and self.wait_s <= pipeline_settings().countdown_max_s

    @property
    def near(self) -> bool:
        return self.carried and self.wait_s <= store.SLOT_LEAD_S


def _within_limits(rows: list[Due], now: datetime) -> tuple[list[Due], Effects]:
    late = _late(
        _Slot(row, limits, _horizon_s(row, now))
        for row in rows
        if (limits := rate_limits.limits_of(row.channel, row.address))
    )
    if not late:
        return rows, Effects()
    leaving = waits.leaving([_wait(slot, now) for slot in late], WaitReason.RATE_LIMIT, now)
    effects = waits.leave(leaving, WaitReason.RATE_LIMIT, now)
    kept_back = {wait.row.delivery_id for wait in leaving}
    staying = [slot for slot in late if slot.row.delivery_id not in kept_back]
    late = [slot for slot in staying if slot.reserved or slot.row.priority is not Priority.CRITICAL]
    # A CRITICAL one that has no other channel after all waits for a slot as the others on their last channel.
    longest_s = rate_limits.LONGEST_HORIZON_S
    late += _late(replace(slot, horizon_s=longest_s) for slot in staying if slot not in late)
    # A NORMAL one without a slot stays as it is: it is taken along or rung for when its turn may have come.
    waiting = [slot for slot in late if slot.reserved or slot.row.priority is Priority.CRITICAL]
    effects.add(_wait_for_slots(waiting, now))
    kept_back |= {slot.row.delivery_id for slot in late}
    return [row for row in rows if row.delivery_id not in kept_back], effects


def _late(asked: Iterable[_Slot]) -> list[_Slot]:
    """Ask for the slots, and return those that have not come yet."""
    slots = list(asked)
    asks = [rate_limits.Ask(slot.limits, slot.horizon_s, slot.row.has_slot) for slot in slots]
    waits_s = rate_limits.reserve(asks) if asks else []
    return [replace(slot, wait_s=wait_s) for slot, wait_s in zip(slots, waits_s, strict=True) if wait_s > 0]


def _horizon_s(row: Due, now: datetime) -> float:
    """Return how far ahead a slot may be.

    Less for NORMAL, since CRITICAL waits for the slots it reserved; and for a CRITICAL send that goes on to
    another channel rather than wait, so that it leaves no slot reserved.
    """
    if row.priority is not Priority.CRITICAL:
        return _LIMIT_HORIZON_NORMAL_S
    return rate_limits.LONGEST_HORIZON_S if row.last else waits.patience_s(row, now)


def _wait_for_slots(late: Sequence[_Slot], now: datetime) -> Effects:
    """Postpone rows to their slots.

    For a near slot a delayed doorbell rings at the exact time: the sweep can be off by a second, and a
    second's worth of sends at once would break the limit.
    """
    waits.wait([_wait(slot, now) for slot in late], WaitReason.RATE_LIMIT, now)
    rings = [
        Ring(slot.row.delivery_id, slot.row.priority, delay_s=slot.wait_s + _AFTER_S, alone=True)
        for slot in late
        if slot.near
    ]
    return Effects(rings=rings)


def _wait(slot: _Slot, now: datetime) -> Wait:
    """Return the wait for a slot, with the time at which the sweep rings, or backs a doorbell's ring."""
    spread_s = 0 if slot.reserved else uniform(0, _SPREAD_S)  # noqa: S311
    comes_at = now + timedelta(seconds=slot.wait_s + spread_s)
    ring_at = comes_at
    if slot.near:
        ring_at += timedelta(seconds=store.GRACE_S)
    elif slot.carried:
        ring_at -= timedelta(seconds=store.SLOT_LEAD_S)
    return Wait(slot.row, comes_at, ring_at, slot.reserved)


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
