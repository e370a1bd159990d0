"""The bulkhead between channels: the results of slow sends are recorded by a thread, not by the worker.

The worker is then free for other channels. The send keeps its slot and its lease, and its result is recorded
with the same effects. Same guarantee as in the worker: after a crash the lease expires and the outcome is
unknown.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from django.db import connection

from notifications.delivery import sending_loop
from notifications.delivery.record import Clock, Tried, record
from notifications.events import Effects
from notifications.settings import pipeline_settings
from notifications.states import Channel
from runtime.batching import ThreadBatcher

log = logging.getLogger(__name__)

RunEffects = Callable[[Effects], None]
_Item = tuple[Tried, Clock, RunEffects]

_TYPICAL_TIMES = 4  # a send is slow after this many times its channel's typical time,
_QUICK_SHARE = 0.1  # but not before this share of `slow_send_s`
_BRIEF_SHARE = 0.05  # the worker does not wait for a channel whose typical time is above this share of it
_IDLE_S = 5.0  # after the last send the recorder keeps its connection for so long
_WEIGHT = 0.1  # of the newest send in the typical time


class Results:
    """The results of the sends of one batch: read by the worker, and later by the recorder."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Tried] = SimpleQueue()
        self._later: tuple[Clock, RunEffects] | None = None

    def put(self, tried: Tried) -> None:
        """Called on the sending loop only."""
        _note(tried)
        if self._later is None:
            self._queue.put(tried)
        else:
            _recorder.put((tried, *self._later))

    def get(self, *, within_s: float) -> list[Tried]:
        """Wait for a result, and return all there are. Raises: `queue.Empty`."""
        batch = [self._queue.get(timeout=within_s)]
        while not self._queue.empty():
            batch.append(self._queue.get())
        return batch

    def empty(self) -> bool:
        return self._queue.empty()

    def hand_over(self, rows: Counter[Channel], clock: Clock, run_effects: RunEffects) -> None:
        """Let the recorder write all outstanding results, `rows` of each channel."""
        with _lock:
            _open.update(rows)
        sending_loop.call(self._hand_over, clock, run_effects)

    def _hand_over(self, clock: Clock, run_effects: RunEffects) -> None:
        self._later = (clock, run_effects)
        while not self._queue.empty():
            _recorder.put((self._queue.get(), clock, run_effects))


_open: Counter[Channel] = Counter()  # rows whose results the recorder awaits
_typical_s: dict[Channel, float] = {}
_lock = threading.Lock()
_all_recorded = threading.Condition(_lock)


def patience_s(channels: Sequence[Channel]) -> float:
    """Return how long a worker waits for the next result of these channels: not at all for slow ones.

    For a brief send waiting is cheaper than handing it over; for a longer one it delays the worker's other
    channels.
    """
    if any(_open[channel] for channel in channels):
        return 0.0
    typical_s = max((_typical_s.get(channel, 0.0) for channel in channels), default=0.0)
    slow_s = pipeline_settings().slow_send_s
    if typical_s > _BRIEF_SHARE * slow_s:
        return 0.0
    return min(max(_QUICK_SHARE * slow_s, _TYPICAL_TIMES * typical_s), slow_s)


def unrecorded_count(channel: Channel) -> int:
    """Return the number of rows of this channel whose results the recorder awaits."""
    return _open[channel]


def wait_until_recorded(*, within_s: float) -> bool:
    """Wait for the results of all running sends. Return whether all are recorded."""
    with _lock:
        return _all_recorded.wait_for(lambda: not _open.total(), within_s)


def _note(tried: Tried) -> None:
    if tried.receipt is not None:
        taken_s = (tried.ended_at - tried.started_at).total_seconds()
        channel = tried.claimed.channel
        typical_s = _typical_s.get(channel, taken_s)
        _typical_s[channel] = typical_s + _WEIGHT * (taken_s - typical_s)


def _record(items: Sequence[_Item]) -> None:
    batch = [tried for tried, _, _ in items]
    _, clock, run_effects = items[0]  # the same ones in all items of a process
    try:
        run_effects(record(batch, clock))
    except Exception:  # the leases expire, and the sweep takes over
        log.exception("slow_sends_not_recorded", extra={"rows": len(batch)})
        connection.close()  # it may be the cause
    finally:
        sending_loop.call(free_slots, batch)
        with _lock:
            _open.subtract(Counter(tried.claimed.channel for tried in batch))
            _all_recorded.notify_all()


# The next send may be hours away: an idle recorder gives its connection back.
_recorder = ThreadBatcher("recorder", _record, idle_s=_IDLE_S, on_idle=lambda: connection.close())


def free_slots(batch: Sequence[Tried]) -> None:
    """Free the slots of these sends. Called on the sending loop."""
    for tried in batch:
        tried.recorded.set()
