"""What would reach a person now: their open sockets, and each channel with its destinations or why not."""

from dataclasses import dataclass
from datetime import datetime

from typing_extensions import TypedDict

from gateway.api.shown import Milliseconds, ms_or_none
from gateway.presence.sockets import Socket, sockets_of
from notifications.events import ChannelChoice, Decision, Planned, Recipient
from notifications.live import pubsub
from notifications.routing import hours
from notifications.routing.plan import plan_for
from notifications.states import Channel, Priority, Verdict
from runtime.postgres import clock
from users.models import User


class OpenSocket(TypedDict):
    """`device` is the client's own word: escape it."""

    id: str
    device: str
    since: Milliseconds
    last_confirmation: Milliseconds | None
    gateway: str


class ReachedDestination(TypedDict):
    id: int
    usable: bool
    reason: str


class ReachedChannel(TypedDict):
    channel: str
    usable: bool
    reason: str
    destinations: list[ReachedDestination]


class SwitchedOff(TypedDict):
    event_type: str | None
    group: str | None
    channel: str


class ActiveMute(TypedDict):
    event_type: str | None
    group: str | None
    until: Milliseconds | None


class Held(TypedDict):
    """Why, and until when, a NORMAL event would wait."""

    reason: str
    until: Milliseconds | None


class _OfRecipient(TypedDict):
    channels: list[ReachedChannel]
    telegram_active: bool
    muted: list[SwitchedOff]
    mutes: list[ActiveMute]
    held: Held | None


class Reachability(_OfRecipient):
    """How a CRITICAL event would find the person now. `sockets` is null while Redis is away."""

    user_id: str
    active: bool
    online: bool
    sockets: list[OpenSocket] | None


_NOTHING: _OfRecipient = {
    "channels": [],
    "telegram_active": False,
    "muted": [],
    "mutes": [],
    "held": None,
}


@dataclass(frozen=True, slots=True)
class _Critical:
    """An event of no type in particular that leaves the order of channels to its recipient."""

    user_id: str
    event_type: str = ""
    priority: Priority = Priority.CRITICAL
    channels: tuple[ChannelChoice, ...] = ()
    deadline_ms: int = 0
    name: str = ""


def reachability(user: User) -> Reachability:
    """Return it as the API tells it. Never an address."""
    now = clock.now()
    [planned] = plan_for([_Critical(user.external_id)], now=now)
    online = planned.online if planned else user.pk in pubsub.online([user.pk])
    sockets = sockets_of(user.pk)
    return {
        "user_id": user.external_id,
        "active": user.is_active,
        "online": online,
        "sockets": None if sockets is None else [shown(socket) for socket in sockets],
        **(_NOTHING if planned is None else _of_recipient(planned, now)),
    }


def _of_recipient(planned: Planned[_Critical], now: datetime) -> _OfRecipient:
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
                "until": ms_or_none(mute.until),
            }
            for mute in recipient.wishes.mutes
            if mute.until is None or mute.until > now
        ],
        "held": _held(recipient, now),
    }


def _group_name(recipient: Recipient, group_id: int | None) -> str | None:
    return next((group.name for group in recipient.policy.groups if group.id == group_id), None)


def _held(recipient: Recipient, now: datetime) -> Held | None:
    """Return why and until when a NORMAL event would wait now; CRITICAL ones pierce."""
    stretch = hours.stretch(recipient.wishes, recipient.time_zone, now)
    if stretch.closed is None:
        return None
    return {"reason": stretch.closed, "until": ms_or_none(stretch.opens_at)}


def shown(socket: Socket) -> OpenSocket:
    return {
        "id": socket.id,
        "device": socket.device,
        "since": socket.since_ms,
        "last_confirmation": socket.confirmed_ms,
        "gateway": socket.gateway,
    }


def _channels(trace: tuple[Decision, ...]) -> list[ReachedChannel]:
    """Return one entry a channel, in the order in which a CRITICAL event would try them."""
    found: dict[Channel, ReachedChannel] = {}
    for line in trace:
        usable = line.verdict is Verdict.CHOSEN
        entry = found.setdefault(
            line.channel,
            {"channel": line.channel.name, "usable": False, "reason": line.reason, "destinations": []},
        )
        if usable and not entry["usable"]:
            entry["usable"], entry["reason"] = True, line.reason
        if line.destination_id is not None:
            entry["destinations"].append({"id": line.destination_id, "usable": usable, "reason": line.reason})
    return list(found.values())
