"""How many events of one type a person wants within a period: counted in Redis, for all processes.

Redis carries only what may be lost: while it is away nothing is throttled.
"""

import logging
from datetime import UTC, datetime
from pathlib import Path

import redis

from notifications.events import Recipient
from notifications.routing import rules
from notifications.states import Priority
from notifications.wishes import Throttle
from runtime.redis.client import client
from runtime.redis.scripts import Script

log = logging.getLogger(__name__)

_THROTTLE = Script(Path(__file__).with_name("throttle.lua"))


def throttle_for(recipient: Recipient, event_type: str, priority: Priority) -> Throttle | None:
    """Return the throttle that counts for an event; a CRITICAL one has none."""
    wishes, groups = recipient.wishes, recipient.policy.groups
    if priority is Priority.CRITICAL or not (wishes.throttles or groups):
        return None
    group = recipient.policy.group_of(event_type)
    return rules.throttle_of(wishes.throttles, event_type, group)


def admit(
    throttle: Throttle, person_id: int, event_type: str, name: str, *, now: datetime
) -> datetime | None:
    """Count an event and return None if it may be sent, else when the next one of its type may be.

    The same `name` is counted once.
    """
    key = f"throttle.{person_id}.{event_type}"
    now_ms = round(now.timestamp() * 1000)
    try:
        answer = _THROTTLE(client(), [key], [now_ms, throttle.per_s * 1000, throttle.at_most, name])
    except redis.RedisError as error:
        log.warning("throttle_unavailable", extra={"error": type(error).__name__})
        return None
    return datetime.fromtimestamp(int(answer) / 1000, UTC) if int(answer) else None
