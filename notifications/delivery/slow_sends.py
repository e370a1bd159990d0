"""The bulkhead between channels: the results of slow sends are recorded by a thread, not by the worker.

The worker is then free for other channels. The send keeps its slot and its lease, and its result is recorded
with the same effects; then the next sends of its batch start. Same guarantee as in the worker: after a crash
the lease expires and the outcome is unknown.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Protocol

from django.db import connection

from notifications.delivery import sending_loop
from notifications.delivery.record import Clock, Tried, record
from notifications.effects import Effects
from notifications.settings import pipeline_settings
from notifications.states import Channel
from runtime.batching import ThreadBatcher

log = logging.getLogger(__name__)

RunEffects = Callable[[Effects], None]


class Batch(Protocol):
    """A batch of sends, as `sends.Sends` is."""

    clock: Clock
    running: Counter[Channel]
    results: "Results"

    def recorded(self, batch: Sequence[Tried]) -> None: ...
    def start(self) -> Effects: ...
    def leave(self) -> Effects: ...


_Item = tuple[Tried, Batch, RunEffects]

_TYPICAL_TIMES = 4  # a send is slow after this many times its channel's typical time,
_QUICK_SHARE = 0.1  # but not before this share of `slow_send_s`
_BRIEF_SHARE = 0.05  # the worker does not wait for a channel whose typical time is above this share of it
_IDLE_S = 5.0  # after the last send the recorder keeps its connection for so long
_WEIGHT = 0.1  # of the newest send in the typical time


class Results:
    """The results of the sends of one batch: read by the worker, and later by the recorder."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Tried] = SimpleQueue()
        self._later: tuple[Batch, RunEffects] | None = None

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

    def redirect(self, batch: Batch, run_effects: RunEffects) -> None:
        """Let the recorder have all results from now on. Called on the sending loop only."""
        self._later = (batch, run_effects)
        while not self._queue.empty():
            _recorder.put((self._queue.get(), batch, run_effects))


def hand_over(batch: Batch, run_effects: RunEffects) -> None:
    """Let the recorder write all outstanding results of a batch, and go on with it. The caller lets it go."""
    with _lock:
        _open.update(+batch.running)
    sending_loop.call(batch.results.redirect, batch, run_effects)


_open: Counter[Channel] = Counter()  # rows whose results the recorder awaits
_typical_s: dict[Channel, float] = {}
_stopping = threading.Event()
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


def start_no_more() -> None:
    """Let the recorder only record from now on: this process ends."""
    _stopping.set()


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
    for batch in {id(batch): batch for _, batch, _ in items}.values():
        mine = [(tried, run_effects) for tried, other, run_effects in items if other is batch]
        effects = _record_and_go_on(batch, [tried for tried, _ in mine])
        mine[0][1](effects)


def _record_and_go_on(batch: Batch, results: Sequence[Tried]) -> Effects:
    """Record results of a batch, and start its next sends."""
    before, effects, well = +batch.running, Effects(), not _stopping.is_set()
    try:
        effects.add(record(results, batch.clock))
    except Exception:  # the leases expire, and the sweep takes over
        log.exception("slow_sends_not_recorded", extra={"rows": len(results)})
        connection.close()  # it may be the cause
        well = False
    batch.recorded(results)
    try:
        effects.add(batch.start() if well else batch.leave())
    except Exception:  # what was not claimed is as it was
        log.exception("slow_sends_not_started")
        effects.add(batch.leave())
    with _lock:
        _open.subtract(before)
        _open.update(+batch.running)
        _all_recorded.notify_all()
    return effects


# The next send may be hours away: an idle recorder gives its connection back.
_recorder = ThreadBatcher("recorder", _record, idle_s=_IDLE_S, on_idle=lambda: connection.close())
