"""Pushing WEB deliveries that come after other channels to the recipients' open pages."""

import logging
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from notifications import store
from notifications.delivery.prepare import each_alone
from notifications.delivery.record import Clock
from notifications.effects import Effects
from notifications.live import pubsub
from notifications.live.frames import stored_content, worded_frame
from notifications.settings import pipeline_settings
from notifications.states import AttemptOutcome
from notifications.store import Claimed, Due, Failure, LeaseLost, Success

log = logging.getLogger(__name__)


def push(rows: Sequence[Due], clock: Clock) -> Effects:
    """Claim the rows, push them and record the result. A row without an open page is skipped."""
    started_at = clock()
    framed, effects = each_alone(rows, lambda some: (_with_frames(some, started_at), Effects()), clock)
    frames = {row.delivery_id: frame for row, (frame, _) in framed}
    versions = {row.delivery_id: version for row, (_, version) in framed}
    claimed = store.claim(
        [row for row, _ in framed], token=uuid.uuid4(), now=started_at, lease_s=pipeline_settings().lease_s
    )
    receivers = pubsub.push([(row.person_id, frames[row.delivery_id]) for row in claimed])
    ended_at = clock()
    pushed = [row for row, count in zip(claimed, receivers, strict=True) if count]
    if pushed:
        successes = [
            Success(row.delivery_id, row.token, started_at, ended_at, "", versions[row.delivery_id])
            for row in pushed
        ]
        store.record_pushed(successes, [_deadline(row, started_at) for row in pushed])
    unpushed = [row for row, count in zip(claimed, receivers, strict=True) if not count]
    effects.add(_skip(unpushed, started_at, ended_at))
    return effects


def _with_frames(rows: Sequence[Due], now: datetime) -> list[tuple[Due, tuple[bytes, int | None]]]:
    return [
        (
            row,
            worded_frame(
                stored_content(row, row.time_zone, row.locale), ack_by=_deadline(row, now), repeat=True
            ),
        )
        for row in rows
    ]


def _deadline(row: Due, now: datetime) -> datetime:
    return now + timedelta(milliseconds=row.ack_timeout_ms)


def _skip(rows: Sequence[Claimed], started_at: datetime, ended_at: datetime) -> Effects:
    effects = Effects()
    for row in rows:
        failure = Failure(row, started_at, ended_at, AttemptOutcome.NO_SESSION, "no_session")
        try:
            effects.add(store.record_skipped(failure, now=ended_at))
        except LeaseLost:  # confirmed in the meantime: the page had the frame from an earlier push
            log.warning("late_result_refused", extra={"delivery_id": row.delivery_id})
    return effects
