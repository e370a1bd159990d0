"""Whether an event may be sent now: mutes, throttle, quiet hours and send windows, and what pierces them.

Pure. The answer is the same for every channel that needs an address; an open page gets the event at once, and
shows it in the inbox alone.
"""

from datetime import datetime
from typing import NamedTuple

from notifications.events import Recipient
from notifications.routing import hours, rules
from notifications.states import HoldReason, Priority, SkipReason
from notifications.wishes import NO_WISHES, Group


class Timing(NamedTuple):
    """At most one of `skip` and `hold` is set. `until`: when it goes on, if that is known."""

    skip: SkipReason | None = None
    hold: HoldReason | None = None
    until: datetime | None = None
    pierces: HoldReason | None = None  # what would have held it back if it were not CRITICAL

    @property
    def silent(self) -> bool:
        return self.skip is not None or self.hold is not None


NOW = Timing()


def timing(
    event_type: str,
    priority: Priority,
    group: Group | None,
    recipient: Recipient,
    now: datetime,
    expires_at: datetime | None,
    throttled_until: datetime | None,
) -> Timing:
    """Return whether an event may be sent now, is held until later, or is skipped.

    `expires_at`: as its producer set it; one that would expire while it is held is skipped at once.
    """
    wishes = recipient.wishes
    if wishes is NO_WISHES and throttled_until is None:
        return NOW
    muted, lifted_at = False, None
    if wishes.mutes and not (group is not None and group.mandatory):
        muted, lifted_at = rules.muted_until(wishes.mutes, event_type, group, now)
    stretch = hours.stretch(wishes, recipient.time_zone, now)
    critical = priority is Priority.CRITICAL
    if critical and not _keeps_from_piercing(group, recipient):
        pierced = HoldReason.MUTED if muted else stretch.closed
        return Timing(pierces=pierced) if pierced else NOW
    if muted and (not critical or lifted_at is None):
        return Timing(skip=SkipReason.MUTED, until=lifted_at)
    if throttled_until is not None and not critical:
        return Timing(skip=SkipReason.THROTTLED, until=throttled_until)
    if muted and lifted_at is not None:
        return _held(HoldReason.MUTED, hours.opens_at(wishes, recipient.time_zone, lifted_at), expires_at)
    return NOW if stretch.closed is None else _held(stretch.closed, stretch.opens_at, expires_at)


def _keeps_from_piercing(group: Group | None, recipient: Recipient) -> bool:
    return group is not None and group.may_opt_out and group.id in recipient.wishes.opted_out


def _held(reason: HoldReason, until: datetime | None, expires_at: datetime | None) -> Timing:
    if until is None:
        return Timing(skip=SkipReason.NEVER_OPEN)
    if expires_at is not None and expires_at <= until:
        return Timing(skip=SkipReason.EXPIRES_WHILE_HELD, until=until)
    return Timing(hold=reason, until=until)
