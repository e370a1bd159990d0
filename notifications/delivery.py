"""Trying deliveries: claim and commit, send, record and commit. No transaction spans a send."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from queue import SimpleQueue
from random import random

from notifications import crash_points, knobs, live, sending_loop, store
from notifications.events import Aftermath, Ring
from notifications.frames import event_frame, to_ms
from notifications.render import render
from notifications.states import AttemptOutcome, Channel, FailureKind
from notifications.store import Claimed, Failure, LeaseLost, Success
from notifications.transports.base import (
    ConfigurationError,
    LimitedError,
    MessageError,
    OutcomeUnknown,
    PermanentError,
    Receipt,
    RecipientError,
    TemporaryError,
    TransportError,
)
from notifications.transports.registry import transport

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]


class AlreadyClaimed(Exception):
    """The row is somebody else's, has ended, or is not due; the sweep looks after it."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What one send came to: exactly one of `receipt` and `error`, or neither if it was not started."""

    claimed: Claimed
    started_at: datetime
    ended_at: datetime
    receipt: Receipt | None = None
    error: TransportError | None = None


def attempt_one(delivery_id: str, *, clock: Clock) -> Aftermath:
    """Make one try of one delivery, and record it.

    Raises: `AlreadyClaimed`; `TemporaryError` after the row was deferred, so that the task's own retry
    is the fast path and the row's `ring_at` the one of record.
    """
    claimed = _claim([delivery_id], clock)
    if not claimed:
        raise AlreadyClaimed(delivery_id)
    if claimed[0].channel is Channel.WEB:
        return _push(claimed, clock)
    tried = sending_loop.submit(_try(claimed[0], clock)).result()
    aftermath = _record([tried], clock)
    deferred = any(ring.delivery_id == delivery_id for ring in aftermath.rings)
    if deferred and isinstance(tried.error, TemporaryError):
        raise tried.error
    return aftermath


def attempt_many(delivery_ids: Sequence[str], *, clock: Clock) -> Iterator[Aftermath]:
    """Make the first tries of a batch side by side, recording results as they come in.

    A row that fails for a passing reason goes on alone: it is returned as a `Ring`.
    """
    claimed = _claim(delivery_ids, clock)
    results: SimpleQueue[Tried] = SimpleQueue()
    pages = [row for row in claimed if row.channel is Channel.WEB]
    others = [row for row in claimed if row.channel is not Channel.WEB]
    if pages:
        yield _push(pages, clock)
    if others:
        sending_loop.submit(_send_all(others, results, clock))
    open_count = len(others)
    while open_count:
        batch = [results.get()]
        while not results.empty():
            batch.append(results.get())
        open_count -= len(batch)
        yield _record(batch, clock)


def _claim(delivery_ids: Sequence[str], clock: Clock) -> list[Claimed]:
    settings = knobs.current()
    claimed = store.claim(delivery_ids, now=clock(), lease_s=settings.lease_s, max_tries=settings.max_tries)
    crash_points.passing("claimed_before_send")
    return claimed


async def _send_all(claimed: list[Claimed], results: "SimpleQueue[Tried]", clock: Clock) -> None:
    settings = knobs.current()
    loop = asyncio.get_running_loop()
    stop_at = loop.time() + settings.batch_budget_s
    # A bulkhead per channel: a hanging provider holds its own slots only.
    slots = {row.channel: asyncio.Semaphore(settings.send_concurrency) for row in claimed}

    async def one(row: Claimed) -> None:
        async with slots[row.channel]:
            if loop.time() > stop_at:  # the lease would not last for another send
                results.put(Tried(row, clock(), clock()))
            else:
                results.put(await _try(row, clock))

    await asyncio.gather(*(one(row) for row in claimed))


async def _try(row: Claimed, clock: Clock) -> Tried:
    started_at = clock()
    if started_at + timedelta(seconds=knobs.current().send_timeout_s) > row.lease_until:
        return Tried(row, started_at, started_at)  # this process was paused: the row may be another's by now
    receipt: Receipt | None = None
    error: TransportError | None = None
    try:
        receipt = await _send(row)
    except TransportError as failure:
        error = failure
    except Exception as failure:  # a transport's bug must not lose the row
        log.exception("transport_bug", extra={"delivery_id": row.delivery_id, "channel": row.channel.name})
        error = OutcomeUnknown(f"unexpected {type(failure).__name__}")
    return Tried(row, started_at, clock(), receipt, error)


async def _send(row: Claimed) -> Receipt:
    if row.unusable:
        raise PermanentError(row.unusable)
    try:
        message = render(
            event_type=row.event_type,
            payload=row.payload,
            channel=row.channel,
            priority=row.priority,
            timestamp_ms=to_ms(row.occurred_at),
            time_zone=row.time_zone,
            key=row.delivery_id,
            possible_duplicate=row.possible_duplicate,
        )
    except Exception as failure:
        log.exception("render_failed", extra={"delivery_id": row.delivery_id, "type": row.event_type})
        raise MessageError("the message cannot be rendered") from failure
    return await transport(row.channel).send(message, row.address, timeout_s=knobs.current().send_timeout_s)


def _push(rows: list[Claimed], clock: Clock) -> Aftermath:
    """Push WEB deliveries whose turn came after other channels."""
    started_at = clock()
    deadlines = [started_at + timedelta(milliseconds=row.ack_timeout_ms) for row in rows]
    frames = [
        (
            row.person_id,
            event_frame(
                event_id=row.event_id,
                event_type=row.event_type,
                priority=row.priority,
                timestamp_ms=to_ms(row.occurred_at),
                payload=row.payload,
                time_zone=row.time_zone,
                seq=row.seq,
                ack_by=deadline,
            ),
        )
        for row, deadline in zip(rows, deadlines, strict=True)
    ]
    receivers = live.push(frames)
    ended_at = clock()
    taken = [
        (Success(row.delivery_id, row.token, started_at, ended_at), deadline)
        for row, deadline, count in zip(rows, deadlines, receivers, strict=True)
        if count
    ]
    if taken:
        store.pushed([success for success, _ in taken], [deadline for _, deadline in taken])
    aftermath = Aftermath()
    for row, count in zip(rows, receivers, strict=True):
        if not count:
            failure = Failure(row, started_at, ended_at, AttemptOutcome.NO_SESSION, "no_session")
            aftermath.add(store.skip(failure, now=ended_at))
    return aftermath


def _record(batch: list[Tried], clock: Clock) -> Aftermath:
    """Write what a few sends came to: the successes in one statement, the rest one by one."""
    crash_points.passing("sent_before_record")
    aftermath = Aftermath()
    sent = [tried for tried in batch if tried.receipt is not None]
    if sent:
        done, lost = store.succeed([_success(tried) for tried in sent])
        aftermath.add(done)
        for delivery_id in lost:
            log.warning("late_result_refused", extra={"delivery_id": delivery_id})
        for tried in sent:
            if tried.receipt and tried.receipt.moved_to:
                store.move_address(tried.claimed.delivery_id, tried.receipt.moved_to, now=tried.ended_at)
    unstarted = [tried.claimed for tried in batch if tried.receipt is None and tried.error is None]
    if unstarted:
        store.release(unstarted, now=clock())
        aftermath.rings += [Ring(row.delivery_id, row.priority) for row in unstarted]
    for tried in batch:
        if tried.error is not None:
            aftermath.add(_record_error(tried, tried.error, clock))
    return aftermath


def _success(tried: Tried) -> Success:
    assert tried.receipt is not None
    return Success(
        tried.claimed.delivery_id,
        tried.claimed.token,
        tried.started_at,
        tried.ended_at,
        tried.receipt.provider_message_id[:200],
    )


def _record_error(tried: Tried, error: TransportError, clock: Clock) -> Aftermath:
    row = tried.claimed
    failure = Failure(row, tried.started_at, tried.ended_at, error.outcome, error.reason)
    extra = {"event_id": row.event_id, "delivery_id": row.delivery_id, "channel": row.channel.name}
    log.warning("send_failed", extra=extra | {"outcome": error.outcome.value, "attempt": row.attempt})
    try:
        return _decide(failure, error, clock())
    except LeaseLost:
        log.warning("late_result_refused", extra=extra)
        return Aftermath()


def _decide(failure: Failure, error: TransportError, now: datetime) -> Aftermath:
    settings = knobs.current()
    row = failure.claimed
    if isinstance(error, TemporaryError):
        if row.attempt >= settings.max_tries:
            return store.fail(failure, FailureKind.TEMPORARY, now=now)
        wait_s = error.retry_after_s if isinstance(error, LimitedError) else 0.0
        backoff_s = min(settings.retry_backoff_s * 2**row.attempt, settings.retry_backoff_max_s)
        not_before = now + timedelta(seconds=wait_s)
        # The sweep leaves the row to the task's own, quicker retry, unless the wait is long.
        grace_s = 5 + backoff_s if wait_s <= settings.retry_backoff_max_s else 0
        store.defer(failure, not_before=not_before, ring_at=not_before + timedelta(seconds=grace_s))
        delay_s = wait_s or settings.retry_backoff_s * random()  # noqa: S311
        return Aftermath(rings=[Ring(row.delivery_id, row.priority, delay_s=delay_s, alone=True)])
    if isinstance(error, OutcomeUnknown):
        return store.lose(failure, now=now, backoff_s=settings.unknown_backoff_s)
    if row.unusable:
        return store.skip(failure, now=now)
    return store.fail(failure, _KINDS.get(type(error), FailureKind.MESSAGE), now=now)


_KINDS: dict[type[TransportError], FailureKind] = {
    RecipientError: FailureKind.RECIPIENT,
    MessageError: FailureKind.MESSAGE,
    ConfigurationError: FailureKind.CONFIGURATION,
}
