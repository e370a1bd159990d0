"""Routing a batch: who the recipients are, who is online, and each one's plan."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Protocol, TypeVar

from notifications.events import ChannelChoice, Plan, Planned, Recipient
from notifications.live import pubsub
from notifications.routing import recipients, throttling
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
    @property
    def deadline_ms(self) -> int: ...  # when the producer wants it to expire; 0: it did not say
    @property
    def name(self) -> str: ...  # the same whenever the same event comes


R = TypeVar("R", bound=Routable)


def plan_for(batch: Sequence[R], *, now: datetime, counted: bool = True) -> list[Planned[R] | None]:
    """Return the plan of each item, in order; None where nobody who is active has its `user_id`.

    Without `counted` a throttle neither counts it nor holds it back.
    Two statements and a round trip to Redis for all; another round trip for each event with a throttle.
    Raises: database errors.
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
        plan_of = partial(
            route,
            event_type=item.event_type,
            priority=item.priority,
            requested=item.channels,
            recipient=recipient,
            online=is_online,
            channels=channels,
            default_order=default_order,
            now=now,
            expires_at=_moment(item.deadline_ms),
        )
        planned.append(
            Planned(
                item,
                recipient,
                is_online,
                _throttled(item, recipient, plan_of, now) if counted else plan_of(),
            )
        )
    return planned


def _moment(ms: int) -> datetime | None:
    return datetime.fromtimestamp(ms / 1000, UTC) if ms else None


def _throttled(item: Routable, recipient: Recipient, plan_of: Callable[..., Plan], now: datetime) -> Plan:
    """Return the plan; once enough events of this type were sent, one that sends nothing.

    What is held is counted when it is released.
    """
    plan = plan_of()
    throttle = throttling.throttle_for(recipient, item.event_type, item.priority)
    if throttle is None or plan.silent or not plan.steps:
        return plan
    until = throttling.admit(throttle, recipient.id, item.event_type, item.name, now=now)
    return plan if until is None else plan_of(throttled_until=until)
