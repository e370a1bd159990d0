"""Pushing WEB deliveries that come after other channels to the recipients' open pages."""

import logging
from datetime import datetime, timedelta

from notifications import store
from notifications.delivery.record import Clock
from notifications.events import Effects
from notifications.live import pubsub
from notifications.live.frames import event_frame, stored_content
from notifications.states import AttemptOutcome
from notifications.store import Claimed, Failure, LeaseLost, Success

log = logging.getLogger(__name__)


def push(rows: list[Claimed], clock: Clock) -> Effects:
    """Push the rows and record the result. A row without an open page is skipped."""
    started_at = clock()
    deadlines = [started_at + timedelta(milliseconds=row.ack_timeout_ms) for row in rows]
    frames = [
        (row.person_id, event_frame(stored_content(row, row.time_zone), ack_by=deadline, repeat=True))
        for row, deadline in zip(rows, deadlines, strict=True)
    ]
    receivers = pubsub.push(frames)
    ended_at = clock()
    pushed = [
        (Success(row.delivery_id, row.token, started_at, ended_at), deadline)
        for row, deadline, count in zip(rows, deadlines, receivers, strict=True)
        if count
    ]
    if pushed:
        store.record_pushed([success for success, _ in pushed], [deadline for _, deadline in pushed])
    unpushed = [row for row, count in zip(rows, receivers, strict=True) if not count]
    return _skip(unpushed, started_at, ended_at)


def _skip(rows: list[Claimed], started_at: datetime, ended_at: datetime) -> Effects:
    effects = Effects()
    for row in rows:
        failure = Failure(row, started_at, ended_at, AttemptOutcome.NO_SESSION, "no_session")
        try:
            effects.add(store.record_skipped(failure, now=ended_at))
        except LeaseLost:  # confirmed in the meantime: the page had the frame from an earlier push
            log.warning("late_result_refused", extra={"delivery_id": row.delivery_id})
    return effects
