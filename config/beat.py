"""Beat without wall clocks: it counts its intervals by the monotonic clock, and its ticks never expire.

A tick is sent only when the one before was taken by a worker, or after a while in case it was lost: so ticks
do not pile up without a worker, whatever the clocks of the two say.
"""

import time
from typing import Any, cast

from celery.beat import ScheduleEntry, Scheduler

from notifications.operations import ticks


class IntervalScheduler(Scheduler):
    """For a schedule of intervals in seconds that is kept in the settings."""

    def __init__(self, *args: Any, **named: Any) -> None:
        self._due: dict[str, float] = {}
        super().__init__(*args, **named)

    def tick(self, *_: Any, **__: Any) -> float:
        """Send what is due, and return the seconds until the next is."""
        now = time.monotonic()
        for name, entry in self.schedule.items():
            if self._due.setdefault(name, now) <= now:
                self._due[name] = max(self._due[name] + _interval_s(entry), now)
                self._send(entry)
        return max(0.0, min(self._due.values(), default=now + 1) - time.monotonic())

    def _send(self, entry: ScheduleEntry) -> None:
        if ticks.may_send(str(entry.name), every_s=_interval_s(entry)):
            self.apply_entry(entry, producer=self.producer)


def _interval_s(entry: ScheduleEntry) -> float:
    seconds: float = cast("Any", entry.schedule).run_every.total_seconds()
    return seconds
