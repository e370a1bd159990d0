"""When a delivery is tried again, and how long one attempt may take: read from the channels' declarations.

Celery's autoretry makes the waits of up to a minute; longer ones stand in the row, and the sweep rings for
them. At the end of its schedule the channel has failed. A CRITICAL event leaves a channel within seconds
while it has another. On its last channel it follows NORMAL's schedule and then goes on every `LAST_RESORT_S`
until it expires, so no outage ends it.
"""

from notifications.settings import pipeline_settings
from notifications.states import Channel, Priority
from notifications.transports import registry
from notifications.transports.spec import QUICK_WAITS_S

QUICK_TRIES = len(
    QUICK_WAITS_S
)  # waits that Celery's autoretry makes; the row's `ring_at` backs each of them
LAST_RESORT_S = 300.0


def waits_s(channel: Channel, priority: Priority) -> tuple[float, ...]:
    """Return the seconds to wait after the first, second, … send that failed with a temporary error."""
    return registry.spec(channel).waits_s.get(priority, QUICK_WAITS_S)


def wait_s(channel: Channel, priority: Priority, attempt: int, *, last: bool) -> float | None:
    """Return how long to wait after attempt number `attempt` (from 1), or None at the end of the schedule.

    `last` says that the event has no further channel.
    """
    persistent = last and priority is Priority.CRITICAL
    schedule = waits_s(channel, Priority.NORMAL if persistent else priority)
    scale = pipeline_settings().retry_scale
    if attempt <= len(schedule):
        return schedule[attempt - 1] * scale
    return LAST_RESORT_S * scale if persistent else None


def timeout_s(channel: Channel) -> float:
    """Return how long one send on this channel may take."""
    return min(registry.spec(channel).timeout_s, pipeline_settings().send_timeout_s)
