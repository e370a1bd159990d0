"""The sends of one doorbell: as many as have room are claimed, committed and started, then the next ones.

Everything that can fail without the provider has been done before the claim, so a claim says that the send
has begun: what was not claimed is as it was before, whatever happens to this process.
"""

import logging
import time
import uuid
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import timedelta

from notifications import store
from notifications.delivery import admission, record, room, sending, sending_loop, waits
from notifications.delivery.prepare import Prepared
from notifications.delivery.record import Clock, Tried, retry_while_database_away
from notifications.delivery.slow_sends import Results
from notifications.delivery.waits import Wait
from notifications.effects import Effects, Ring
from notifications.settings import pipeline_settings
from notifications.states import Channel, WaitReason
from notifications.store import Claimed, Due
from runtime.failpoints import failpoint

log = logging.getLogger(__name__)

_CROWDED_AFTER_S = 2.0  # rows that have no room after this may leave the channel


class Sends:
    """Driven by one thread at a time: the worker, and then the recorder of slow sends."""

    def __init__(self, prepared: Sequence[Prepared], clock: Clock) -> None:
        self.clock = clock
        self.results = Results()
        self.running: Counter[Channel] = Counter()
        self._slots: Counter[Channel] = Counter()  # held in `room`
        self._waiting: dict[Channel, deque[Prepared]] = {}
        for item in prepared:
            self._waiting.setdefault(item.due.channel, deque()).append(item)
        self._stop_at = time.monotonic() + pipeline_settings().batch_budget_s
        self._crowded_from = clock() + timedelta(seconds=_CROWDED_AFTER_S)
        self._breaker = admission.BatchBreaker()
        self._futures: list[Future[None]] = []

    def start(self) -> Effects:
        """Start what has room. Return the doorbells of what this batch leaves to another one."""
        left = Effects()
        while next_ones := [item for channel in self._waiting for item in self._next(channel, left)]:
            if started := _claim(next_ones, self.clock):
                self._send(next_ones, started)
                break
        self._give_back_idle_slots()
        return left

    def recorded(self, batch: Sequence[Tried]) -> None:
        """Take note that these results are in the database: their slots are free."""
        for tried in batch:
            channel = tried.claimed.channel
            self.running[channel] -= 1
            self._breaker.count(channel, failed=record.is_providers_fault(tried))
        self._futures = [future for future in self._futures if not future.done()]

    def leave(self) -> Effects:
        """Start nothing more, and return the doorbells of what was not started."""
        left = Effects(rings=[ring for channel in self._waiting for ring in self._left(channel)])
        self._give_back_idle_slots()
        return left

    def cancel(self) -> None:
        """Cancel the sends in flight: nothing would record their results."""
        for future in self._futures:
            future.cancel()
        self._waiting.clear()
        for channel, count in self._slots.items():
            room.give_back(channel, count)
        self._slots.clear()

    def _next(self, channel: Channel, left: Effects) -> list[Prepared]:
        """Return the rows of a channel to start now. Each claim is a commit, so few are started rarely."""
        waiting = self._waiting[channel]
        if time.monotonic() > self._stop_at or self._breaker.tripped(channel):
            left.rings += self._left(channel)
            return []
        if not waiting or self.running[channel] > pipeline_settings().send_concurrency // 2:
            left.add(self._leave_impatient(channel))
            return []
        idle = self._slots[channel] - self.running[channel]
        self._slots[channel] += room.take(channel, waiting[0].due.priority, max(0, len(waiting) - idle))
        count = min(len(waiting), self._slots[channel] - self.running[channel])
        if not count and not self.running[channel]:
            left.rings += self._left(channel)  # another batch has all slots
        started = [waiting.popleft() for _ in range(count)]
        left.add(self._leave_impatient(channel))
        return started

    def _leave_impatient(self, channel: Channel) -> Effects:
        """Let the rows that have waited for room for too long go on to their next channels."""
        now, waiting = self.clock(), self._waiting[channel]
        if now < self._crowded_from:  # so far a place comes sooner than another channel
            return Effects()
        until = now + timedelta(seconds=1)
        crowded = [
            Wait(item.due, until) for item in waiting if waits.patience_s(item.due, now) <= waits.BRIEF_S
        ]
        leaving = waits.leaving(crowded, WaitReason.NO_ROOM, now) if crowded else []
        gone = {wait.row.delivery_id for wait in leaving}
        self._waiting[channel] = deque(item for item in waiting if item.due.delivery_id not in gone)
        return waits.leave(leaving, WaitReason.NO_ROOM, now)

    def _left(self, channel: Channel) -> list[Ring]:
        rings = [Ring(item.due.delivery_id, item.due.priority) for item in self._waiting[channel]]
        self._waiting[channel].clear()
        return rings

    def _send(self, prepared: Sequence[Prepared], started: Sequence[Claimed]) -> None:
        failpoint("claimed_before_send")
        messages = {item.due.delivery_id: item.message for item in prepared}
        self.running.update(row.channel for row in started)
        sends = [(row, messages[row.delivery_id]) for row in started]
        self._futures.append(sending_loop.submit(sending.send_all(sends, self.results.put, self.clock)))

    def _give_back_idle_slots(self) -> None:
        for channel, waiting in self._waiting.items():
            idle = self._slots[channel] - self.running[channel]
            if not waiting and idle:
                room.give_back(channel, idle)
                self._slots[channel] -= idle


def _claim(prepared: Sequence[Prepared], clock: Clock) -> list[Claimed]:
    """Claim the rows, each digest by itself: all of it, or nothing."""
    rows = [item.due for item in prepared]
    single = [row for row in rows if not row.members]
    claimed = _claim_rows(single, clock) if single else []
    return claimed + [one for row in rows if row.members for one in _claim_rows([row], clock)]


def _claim_rows(rows: list[Due], clock: Clock) -> list[Claimed]:
    """Claim rows. If the answer is lost, ask until it is known: an unknown claim would be a lost send."""
    token, again = uuid.uuid4(), False

    def claim() -> list[Claimed]:
        nonlocal again
        repeat, again = again, True
        now, lease_s = clock(), pipeline_settings().lease_s
        if rows[0].members:
            digest = store.claim_digest(rows[0], token=token, now=now, lease_s=lease_s, again=repeat)
            return [digest] if digest is not None else []
        shorter_s = waits.shorter_leases_s(rows, now)
        return store.claim(rows, token=token, now=now, lease_s=lease_s, shorter_s=shorter_s, again=repeat)

    return retry_while_database_away(claim)
