"""Which events wait for others, to be sent with them as one message, and until when. Pure."""

from collections.abc import Mapping
from datetime import datetime

from notifications.events import Recipient
from notifications.routing import hours
from notifications.states import Channel, Priority
from notifications.wishes import Digest
from users.digest_modes import DigestMode

Digests = Mapping[Channel, Digest]
_NONE: Digests = {}


def of_channels(event_type: str, priority: Priority, group_id: int | None, recipient: Recipient) -> Digests:
    """Return what counts of each channel, also what says "off": the person's before the operator's.

    A CRITICAL event never waits for others.
    """
    own, defaults = recipient.wishes.digests, recipient.policy.digests
    if priority is Priority.CRITICAL or not (own or defaults):
        return _NONE
    found = own.of_channels(event_type, group_id)
    return defaults.of_channels(event_type, group_id) | found if defaults else found


def digest_for(
    channel: Channel, event_type: str, priority: Priority, group_id: int | None, recipient: Recipient
) -> Digest | None:
    """Return the digest that the event goes with on a channel."""
    digest = of_channels(event_type, priority, group_id, recipient).get(channel)
    return None if digest is None or digest.mode is DigestMode.OFF else digest


def together(digest: Digest | None, other: Digest | None, event_type: str, other_type: str) -> bool:
    """Tell whether events of two types go together; those that repeat do so type by type."""
    if digest != other:
        return False
    return digest is None or digest.mode is not DigestMode.REPEATS or event_type == other_type


def until(
    digest: Digest,
    recipient: Recipient,
    event_type: str,
    destination_id: int,
    now: datetime,
    *,
    expires_at: datetime | None,
    repeats_until: datetime | None = None,
) -> datetime | None:
    """Return when the event goes with the others; None: at once.

    Neither in quiet hours nor outside of the send windows. One that would expire before goes at once.

    `expires_at`: as its producer set it. `repeats_until`: until when what repeats is collected.
    """
    due = _due(digest, recipient, event_type, destination_id, now, repeats_until)
    at = hours.opens_at(recipient.wishes, recipient.time_zone, due) if due is not None else None
    return None if at is None or (expires_at is not None and expires_at <= at) else at


def _due(
    digest: Digest,
    recipient: Recipient,
    event_type: str,
    destination_id: int,
    now: datetime,
    repeats_until: datetime | None,
) -> datetime | None:
    mode = digest.mode
    if mode is DigestMode.SCHEDULE:
        return hours.next_time(digest.times, digest.weekdays, recipient.time_zone, now)
    if mode is not DigestMode.INTERVAL:
        return repeats_until
    due = now + digest.period
    for waiting in recipient.open_digests:
        if waiting.destination_id == destination_id and waiting.due_at > now:
            group = recipient.policy.group_of(waiting.event_type)
            other = digest_for(
                digest.channel, waiting.event_type, Priority.NORMAL, group.id if group else None, recipient
            )
            if together(digest, other, event_type, waiting.event_type):
                due = min(due, waiting.due_at)
    return due
