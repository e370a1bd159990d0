"""A bulkhead per channel: how many sends of this process may be in flight there.

A send keeps its slot until its result is in the database, which bounds the number of messages that a crash
can repeat. A provider that hangs fills the slots of its own channel only, and NORMAL sends leave some of them
to CRITICAL ones.
"""

import threading
from collections import Counter

from notifications.settings import pipeline_settings
from notifications.states import Channel, Priority

_URGENT_SHARE = 4  # one slot in so many is for CRITICAL sends alone

_taken: Counter[Channel] = Counter()
_lock = threading.Lock()


def take(channel: Channel, priority: Priority, wanted: int) -> int:
    """Take up to `wanted` slots, and return how many there were."""
    with _lock:
        count = max(0, min(wanted, _most(priority) - _taken[channel]))
        _taken[channel] += count
    return count


def give_back(channel: Channel, count: int) -> None:
    with _lock:
        _taken[channel] -= count


def is_full(channel: Channel, priority: Priority) -> bool:
    """Tell whether the channel has no slot now for a send of this priority."""
    with _lock:
        return _taken[channel] >= _most(priority)


def _most(priority: Priority) -> int:
    most = pipeline_settings().send_concurrency
    return most if priority is Priority.CRITICAL else most - most // _URGENT_SHARE
