"""A bulkhead per channel: how many sends of this process may be in flight there.

A send keeps its slot until its result is in the database, which bounds the number of messages that a crash
can repeat. A provider that hangs fills the slots of its own channel only.
"""

import threading
from collections import Counter

from notifications.settings import pipeline_settings
from notifications.states import Channel

_taken: Counter[Channel] = Counter()
_lock = threading.Lock()


def take(channel: Channel, wanted: int) -> int:
    """Take up to `wanted` slots, and return how many there were."""
    with _lock:
        count = max(0, min(wanted, pipeline_settings().send_concurrency - _taken[channel]))
        _taken[channel] += count
    return count


def give_back(channel: Channel, count: int) -> None:
    with _lock:
        _taken[channel] -= count


def is_full(channel: Channel) -> bool:
    """Tell whether the channel has no slot now."""
    with _lock:
        return _taken[channel] >= pipeline_settings().send_concurrency
