"""The persons' wishes as they are now, looked at before a send: the routing may be long ago.

So what is held is judged again at its release, a later channel in the middle of the night is held too, and
nothing is sent that was switched off meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from notifications import store
from notifications.delivery import digests
from notifications.delivery.record import Clock
from notifications.effects import Effects
from notifications.events import EventName, Recipient
from notifications.routing import throttling
from notifications.routing.recheck import recheck
from notifications.routing.stored_rules import Rules, read_rules
from notifications.routing.timing import Timing
from notifications.states import AttemptOutcome, Channel, SkipReason, Verdict
from notifications.store import Due, Failure, Hold, LeaseLost


def heed(rows: Sequence[Due], clock: Clock) -> tuple[list[Due], Effects]:
    """Return the rows that may be sent now. The others are held, or end here and their events go on.

    Of those that go together one is returned, with the others as its members.
    """
    wished = {row.person_id for row in rows if row.has_wishes}
    if not wished:
        return list(rows), Effects()
    look = _Look(read_rules(sorted(wished)), clock())
    free = [found for row in rows if (found := look.at(row)) is not None]
    due = [row for row in free if row.digest_at is not None]
    if due:
        carriers = digests.put_together(due, look.may_go, look.recipient_of, look.now)
        free = [row for row in free if row.digest_at is None] + carriers
    if look.holds:
        store.hold(look.holds, now=look.now)
    return free, look.effects


_OFF = {SkipReason.SWITCHED_OFF, SkipReason.BELOW_PRIORITY}


@dataclass(slots=True)
class _Look:
    """What a look at some rows finds: those to hold, and what follows the end of others."""

    rules: Rules
    now: datetime
    holds: list[Hold] = field(default_factory=list)
    effects: Effects = field(default_factory=Effects)

    def at(self, row: Due) -> Due | None:
        """Return the row if it may be sent now."""
        if not row.has_wishes:
            return row
        when = self._timing(row)
        if row.channel is Channel.WEB and when.skip not in _OFF:  # a page gets it at once, silently
            return replace(row, silent=when.silent, pierces=when.pierces)
        if not self._goes_on(row, when):
            return None
        recipient = self.recipient_of(row)
        if row.digest_at is None:
            recipient = digests.with_open_digests(recipient, row, self.now)
        if (hold := digests.hold_of(row, recipient, self.now)) is not None:
            self.holds.append(hold)
            return None
        return replace(row, pierces=when.pierces) if when.pierces else row

    def may_go(self, row: Due) -> bool:
        """Tell whether a row whose digest is due may be sent now."""
        return self._goes_on(row, self._timing(row))

    def recipient_of(self, row: Due) -> Recipient:
        return Recipient(
            row.person_id,
            "",
            row.time_zone,
            row.locale,
            preferences=self.rules.preferences_of(row.person_id),
            wishes=self.rules.wishes_of(row.person_id),
            policy=self.rules.policy,
        )

    def _goes_on(self, row: Due, when: Timing) -> bool:
        if row.digest_at is not None and row.was_read:  # a list of what the person has read helps nobody
            name = EventName(row.source, row.event_id)
            self.effects.add(store.confirm([(row.person_id, name)], now=self.now))
        elif when.skip is not None:
            self.effects.add(_skip(row, when, self.now))
        elif when.hold is not None and when.until is not None:
            self.holds.append(Hold(row, when.until, when.hold))
        else:
            return True
        return False

    def _timing(self, row: Due) -> Timing:
        recipient = self.recipient_of(row)

        def check(throttled_until: datetime | None = None) -> Timing:
            return recheck(
                channel=row.channel,
                event_type=row.event_type,
                priority=row.priority,
                recipient=recipient,
                now=self.now,
                expires_at=row.expires_at if row.expiry_given else None,
                throttled_until=throttled_until,
            )

        when = check()
        if not row.was_held or row.digest_at is not None or when.silent:
            return when
        throttle = throttling.throttle_for(recipient, row.event_type, row.priority)
        if throttle is None:
            return when
        name = f"{row.source}/{row.event_id}"
        until = throttling.admit(throttle, row.person_id, row.event_type, name, now=self.now)
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
