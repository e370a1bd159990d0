"""The persons' wishes as they are now, looked at before a send: the routing may be long ago.

So what is held is judged again at its release, a later channel in the middle of the night is held too, and
nothing is sent that was switched off meanwhile.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from notifications import store
from notifications.delivery.record import Clock
from notifications.effects import Effects
from notifications.events import Recipient
from notifications.routing import throttling
from notifications.routing.recheck import recheck
from notifications.routing.stored_rules import Rules, read_rules
from notifications.routing.timing import Timing
from notifications.states import AttemptOutcome, Channel, SkipReason, Verdict
from notifications.store import Due, Failure, Hold, LeaseLost


def heed(rows: Sequence[Due], clock: Clock) -> tuple[list[Due], Effects]:
    """Return the rows that may be sent now. The others are held, or end here and their events go on."""
    wished = {row.person_id for row in rows if row.has_wishes}
    if not wished:
        return list(rows), Effects()
    found, now = read_rules(sorted(wished)), clock()
    free: list[Due] = []
    holds: list[Hold] = []
    effects = Effects()
    for row in rows:
        when = _now(row, found, now) if row.has_wishes else Timing()
        if row.channel is Channel.WEB and when.skip not in _OFF:  # a page gets it at once, silently
            free.append(replace(row, silent=when.silent, pierces=when.pierces))
        elif when.skip is not None:
            effects.add(_skip(row, when, now))
        elif when.hold is not None and when.until is not None:
            holds.append(Hold(row, when.until, when.hold))
        else:
            free.append(replace(row, pierces=when.pierces) if when.pierces else row)
    if holds:
        store.hold(holds, now=now)
    return free, effects


_OFF = {SkipReason.SWITCHED_OFF, SkipReason.BELOW_PRIORITY}


def _now(row: Due, found: Rules, now: datetime) -> Timing:
    recipient = Recipient(
        row.person_id,
        "",
        row.time_zone,
        row.locale,
        preferences=found.preferences_of(row.person_id),
        wishes=found.wishes_of(row.person_id),
        policy=found.policy,
    )

    def check(throttled_until: datetime | None = None) -> Timing:
        return recheck(
            channel=row.channel,
            event_type=row.event_type,
            priority=row.priority,
            recipient=recipient,
            now=now,
            expires_at=row.expires_at if row.expiry_given else None,
            throttled_until=throttled_until,
        )

    when = check()
    if not row.was_held or when.silent:
        return when
    throttle = throttling.throttle_for(recipient, row.event_type, row.priority)
    if throttle is None:
        return when
    name = f"{row.source}/{row.event_id}"
    until = throttling.admit(throttle, row.person_id, row.event_type, name, now=now)
    return when if until is None else check(until)


def _skip(row: Due, when: Timing, now: datetime) -> Effects:
    assert when.skip is not None
    until = f" until {when.until:%Y-%m-%d %H:%M} UTC" if when.until else ""
    failure = Failure(row, now, now, AttemptOutcome.UNWANTED, f"{when.skip}{until}")
    line = store.trace_line(row, Verdict.SKIPPED, when.skip, when.until, now=now)
    try:
        return store.record_skipped(failure, now=now, code=when.skip, line=line)
    except LeaseLost:  # another worker was first
        return Effects()
