"""When a delivery is tried again, and how long one try may take: one table, by channel and priority.

Waits up to a minute are the task's own (Celery's autoretry); longer ones stand in the row, and the sweep
rings for them. Where a schedule ends, the channel is used up. CRITICAL leaves a channel within seconds while
it has another; on its last one it is as patient as NORMAL, and then goes on at `LAST_RESORT_S` until it
expires, so that no outage ends it.
"""

from notifications import knobs
from notifications.states import Channel, Priority

QUICK_TRIES = 4  # waits that Celery's autoretry makes; the row's `ring_at` stands behind each of them
LAST_RESORT_S = 300.0

_QUICK = (2.0, 4.0, 8.0, 16.0)

# Seconds to wait after the first, second, … try that failed for a reason that passes. Mail servers greylist
# for minutes (RFC 6647).
SCHEDULES: dict[tuple[Channel, Priority], tuple[float, ...]] = {
    (Channel.TELEGRAM, Priority.CRITICAL): _QUICK[:2],
    (Channel.TELEGRAM, Priority.NORMAL): (*_QUICK, 60.0, 300.0),
    (Channel.EMAIL, Priority.CRITICAL): _QUICK[:2],
    (Channel.EMAIL, Priority.NORMAL): (*_QUICK, 60.0, 300.0, 900.0, 1800.0),
}

# A hanging provider must not keep a CRITICAL event from its next channel for long; SMTP servers may pause
# for seconds before they answer (RFC 5321, 4.5.3.2, allows minutes).
_TIMEOUTS_S = {Channel.TELEGRAM: 5.0, Channel.EMAIL: 15.0}


def wait_s(channel: Channel, priority: Priority, attempt: int, *, last: bool) -> float | None:
    """Return how long to wait after try number `attempt` (from 1), or None if the channel is used up.

    `last` says that the event has no further channel.
    """
    persistent = last and priority is Priority.CRITICAL
    schedule = SCHEDULES.get((channel, Priority.NORMAL if persistent else priority), _QUICK)
    scale = knobs.current().retry_scale
    if attempt <= len(schedule):
        return schedule[attempt - 1] * scale
    return LAST_RESORT_S * scale if persistent else None


def timeout_s(channel: Channel) -> float:
    """Return how long one try on this channel may take."""
    return min(_TIMEOUTS_S.get(channel, 10.0), knobs.current().send_timeout_s)
