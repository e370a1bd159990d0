"""Routing a batch: who the recipients are, who is online, and each one's plan."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from notifications.events import ChannelChoice, Planned
from notifications.live import pubsub
from notifications.routing import recipients
from notifications.routing.route import route
from notifications.states import Priority
from notifications.transports import registry

_TELEGRAM_ACTIVE_S = 600  # a chat counts as a live session for this long after a message


class Routable(Protocol):
    """What routing asks of an event, whatever it is stored in."""

    @property
    def user_id(self) -> str: ...
    @property
    def event_type(self) -> str: ...
    @property
    def priority(self) -> Priority: ...
    @property
    def channels(self) -> tuple[ChannelChoice, ...]: ...


R = TypeVar("R", bound=Routable)


def plan_for(batch: Sequence[R], *, now: datetime) -> list[Planned[R] | None]:
    """Return the plan of each item, in order; None where nobody who is active has its `user_id`.

    Two statements and one round trip to Redis for all of them. Raises: database errors.
    """
    active_s = _TELEGRAM_ACTIVE_S
    found = recipients.load({item.user_id for item in batch if item.user_id}, now=now, active_s=active_s)
    online = pubsub.online(recipient.id for recipient in found.values())
    channels = registry.channels()
    default_order = tuple(map(ChannelChoice, channels))
    planned: list[Planned[R] | None] = []
    for item in batch:
        recipient = found.get(item.user_id)
        if recipient is None:
            planned.append(None)
            continue
        is_online = recipient.id in online
        plan = route(
            event_type=item.event_type,
            priority=item.priority,
            requested=item.channels,
            recipient=recipient,
            online=is_online,
            channels=channels,
            default_order=default_order,
        )
        planned.append(Planned(item, recipient, is_online, plan))
    return planned
