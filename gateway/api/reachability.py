"""What would reach a person now: their open sockets, and each channel with its destinations or why not."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.presence.sockets import Socket, sockets_of
from notifications.events import ChannelChoice, Decision, Planned, Recipient
from notifications.live import pubsub
from notifications.live.frames import to_ms
from notifications.routing import hours
from notifications.routing.plan import plan_for
from notifications.states import Channel, Priority, Verdict
from runtime.postgres import clock
from users.models import User


@dataclass(frozen=True, slots=True)
class _Critical:
    """An event of no type in particular that leaves the order of channels to its recipient."""

    user_id: str
    event_type: str = ""
    priority: Priority = Priority.CRITICAL
    channels: tuple[ChannelChoice, ...] = ()
    deadline_ms: int = 0
    name: str = ""


def reachability(user: User) -> dict[str, Any]:
    """Return it as the API tells it. `sockets` is None while Redis is away. Never an address."""
    now = clock.now()
    [planned] = plan_for([_Critical(user.external_id)], now=now)
    online = planned.online if planned else user.pk in pubsub.online([user.pk])
    sockets = sockets_of(user.pk)
    said: dict[str, Any] = {
        "user_id": user.external_id,
        "active": user.is_active,
        "online": online,
        "sockets": None if sockets is None else [shown(socket) for socket in sockets],
        "channels": [],
        "telegram_active": False,
        "muted": [],
        "mutes": [],
        "held": None,
    }
    return said if planned is None else said | _of_recipient(planned, now)


def _of_recipient(planned: Planned[_Critical], now: datetime) -> dict[str, Any]:
    recipient = planned.recipient
    return {
        "channels": _channels(planned.plan.trace),
        "telegram_active": any(
            address.active and address.channel is Channel.TELEGRAM for address in recipient.addresses
        ),
        "muted": [
            {
                "event_type": preference.event_type or None,
                "group": _group_name(recipient, preference.group_id),
                "channel": preference.channel.name,
            }
            for preference in recipient.preferences
            if not preference.enabled
        ],
        "mutes": [
            {
                "event_type": mute.event_type or None,
                "group": _group_name(recipient, mute.group_id),
                "until": mute.until and to_ms(mute.until),
            }
            for mute in recipient.wishes.mutes
            if mute.until is None or mute.until > now
        ],
        "held": _held(recipient, now),
    }


def _group_name(recipient: Recipient, group_id: int | None) -> str | None:
    return next((group.name for group in recipient.policy.groups if group.id == group_id), None)


def _held(recipient: Recipient, now: datetime) -> dict[str, Any] | None:
    """Return why and until when a NORMAL event would wait now; CRITICAL ones pierce."""
    stretch = hours.stretch(recipient.wishes, recipient.time_zone, now)
    if stretch.closed is None:
        return None
    return {"reason": stretch.closed, "until": stretch.opens_at and to_ms(stretch.opens_at)}


def shown(socket: Socket) -> dict[str, Any]:
    return {
        "id": socket.id,
        "device": socket.device,
        "since": socket.since_ms,
        "last_confirmation": socket.confirmed_ms,
        "gateway": socket.gateway,
    }


def _channels(trace: tuple[Decision, ...]) -> list[dict[str, Any]]:
    """Return one entry a channel, in the order in which a CRITICAL event would try them."""
    found: dict[Channel, dict[str, Any]] = {}
    for line in trace:
        usable = line.verdict is Verdict.CHOSEN
        entry = found.setdefault(
            line.channel,
            {"channel": line.channel.name, "usable": False, "reason": line.reason, "destinations": []},
        )
        if usable and not entry["usable"]:
            entry |= {"usable": True, "reason": line.reason}
        if line.destination_id is not None:
            entry["destinations"].append({"id": line.destination_id, "usable": usable, "reason": line.reason})
    return list(found.values())
