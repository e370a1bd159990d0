"""What the wishes of now say about a step that was routed earlier, and has waited since. Pure."""

from datetime import datetime

from notifications.events import Recipient
from notifications.routing import rules
from notifications.routing.timing import Timing, timing
from notifications.states import Channel, Priority


def recheck(
    *,
    channel: Channel,
    event_type: str,
    priority: Priority,
    recipient: Recipient,
    now: datetime,
    expires_at: datetime | None,
    throttled_until: datetime | None = None,
) -> Timing:
    """Return whether the step may be sent now. That of a mandatory type is not taken back.

    `expires_at`: as the producer set it.
    """
    policy = recipient.policy
    group = policy.group_of(event_type)
    if not (group is not None and group.mandatory):
        group_id = group.id if group else None
        own = recipient.preferences.of_channels(event_type, group_id)
        rule = own.get(channel) or policy.defaults.of_channels(event_type, group_id).get(channel)
        if rule is not None and (unwanted := rules.unwanted(rule, priority)):
            return Timing(skip=unwanted)
    return timing(event_type, priority, group, recipient, now, expires_at, throttled_until)
