"""What would reach a person now: their open sockets, and each channel with its destinations or why not."""

from typing import Any

from django.utils import timezone

from gateway.presence.registry import Socket, sockets_of
from notifications import knobs
from notifications.events import Decision
from notifications.live import pubsub
from notifications.routing import recipients
from notifications.routing.route import route
from notifications.states import Channel, Priority
from notifications.transports.registry import supported
from users.models import User


def reachability(user: User) -> dict[str, Any]:
    """Return it as the API tells it. `sockets` is None while Redis is away. Never an address."""
    now, active_s = timezone.now(), knobs.current().telegram_active_s
    loaded = recipients.load([user.external_id], now=now, active_s=active_s)
    online = user.pk in pubsub.online([user.pk])
    sockets = sockets_of(user.pk)
    said: dict[str, Any] = {
        "user_id": user.external_id,
        "active": user.is_active,
        "online": online,
        "sockets": None if sockets is None else [shown(socket) for socket in sockets],
        "channels": [],
        "telegram_active": False,
        "muted": [],
    }
    if user.external_id in loaded:
        person = loaded[user.external_id]
        plan = route(
            event_type="",
            priority=Priority.CRITICAL,
            requested=(),
            person=person,
            online=online,
            supported=supported(),
        )
        said["channels"] = _channels(plan.trace)
        said["telegram_active"] = any(
            address.active and address.channel is Channel.TELEGRAM for address in person.addresses
        )
        said["muted"] = [
            {"event_type": preference.event_type or None, "channel": preference.channel.name}
            for preference in person.preferences
            if not preference.enabled
        ]
    return said


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
        usable = line.verdict == "chosen"
        entry = found.setdefault(
            line.channel,
            {"channel": line.channel.name, "usable": False, "reason": line.reason, "destinations": []},
        )
        if usable and not entry["usable"]:
            entry |= {"usable": True, "reason": line.reason}
        if line.destination_id is not None:
            entry["destinations"].append({"id": line.destination_id, "usable": usable, "reason": line.reason})
    return list(found.values())
