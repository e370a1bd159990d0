"""Trying deliveries: claim and commit, send, record and commit. No transaction spans a send."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from queue import SimpleQueue
from random import random

from notifications import breaker, crash_points, gate, knobs, live, retries, sending_loop, store
from notifications.events import Aftermath, Ring
from notifications.frames import event_frame, to_ms
from notifications.models import Delivery
from notifications.render import render
from notifications.states import AttemptOutcome, Channel, FailureKind, Priority
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

_LAG_S = 0.5
_SLOW_SHARE = 0.6  # of its timeout: a send that took longer counts against the provider


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
    admitted, aftermath = gate.admit(claimed, clock=clock)
    if not admitted:
        return aftermath
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
        others, moved_on = gate.admit(others, clock=clock)
        if moved_on.rings or moved_on.finals:
            yield moved_on
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
    # A bulkhead per channel: a hanging provider holds its own slots only, and not for long.
    fuse = gate.Fuse()
    slots = {row.channel: asyncio.Semaphore(settings.send_concurrency) for row in claimed}

    async def one(row: Claimed) -> None:
        async with slots[row.channel]:
            # Not started: the provider is down, or the lease would not last for another send.
            if loop.time() > stop_at or fuse.blown(row.channel):
                results.put(Tried(row, clock(), clock()))
                return
            tried = await _try(row, clock)
            fuse.count(row.channel, failed=_is_providers_fault(tried))
            results.put(tried)

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
    return await transport(row.channel).send(message, row.address, timeout_s=retries.timeout_s(row.channel))


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
            try:
                aftermath.add(store.skip(failure, now=ended_at))
            except LeaseLost:  # confirmed meanwhile: the person had the frame from an earlier push
                log.warning("late_result_refused", extra={"delivery_id": row.delivery_id})
    return aftermath


def _record(batch: list[Tried], clock: Clock) -> Aftermath:
    """Write what a few sends came to: the successes in one statement, the rest one by one."""
    crash_points.passing("sent_before_record")
    aftermath = Aftermath()
    _tell_breaker(batch)
    sent = [tried for tried in batch if tried.receipt is not None]
    if sent:
        done, lost = store.succeed([_success(tried) for tried in sent])
        aftermath.add(done)
        log.info("sent", extra=_ids([tried.claimed for tried in sent]))
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


def _ids(rows: Sequence[Claimed]) -> dict[str, list[str]]:
    """Return what a log line says of a batch: ids, and nothing of what was sent to whom."""
    return {
        "event_ids": [row.event_id for row in rows],
        "delivery_ids": [row.delivery_id for row in rows],
        "channels": [row.channel.name for row in rows],
    }


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
    row = failure.claimed
    if isinstance(error, OutcomeUnknown):
        backoff_s = knobs.current().unknown_backoff_s
        return store.lose(failure, now=now, backoff_s=backoff_s)
    if row.unusable:
        return store.skip(failure, now=now)
    if isinstance(error, TemporaryError | ConfigurationError):
        return _again(failure, error, now)
    return store.fail(failure, _KINDS.get(type(error), FailureKind.MESSAGE), now=now)


def _again(failure: Failure, error: TransportError, now: datetime) -> Aftermath:
    """Defer by the retry table and the provider's Retry-After, or end the channel."""
    row = failure.claimed
    kind = _KINDS.get(type(error), FailureKind.TEMPORARY)
    wait_s = retries.wait_s(row.channel, row.priority, row.attempt, last=row.last)
    # Our own credentials do not mend themselves in seconds.
    hopeless = isinstance(error, ConfigurationError) and row.priority is Priority.CRITICAL and not row.last
    if wait_s is None or hopeless:
        return store.fail(failure, kind, now=now)
    asked_s = error.retry_after_s if isinstance(error, LimitedError) else 0.0
    total_s = max(wait_s, asked_s)
    carried = total_s <= knobs.current().countdown_max_s
    quick = isinstance(error, TemporaryError) and row.attempt <= retries.QUICK_TRIES and carried
    # The sweep leaves a quick row to the task's own retry; a long wait is the sweep's alone.
    not_before = now + timedelta(seconds=asked_s if quick else total_s)
    store.defer(failure, not_before=not_before, ring_at=now + timedelta(seconds=total_s + 5 * quick))
    if not quick:
        return Aftermath()
    delay_s = asked_s or wait_s * random()  # noqa: S311
    return Aftermath(rings=[Ring(row.delivery_id, row.priority, delay_s=delay_s, alone=True)])


def used_up(delivery_id: str, *, error: str, now: datetime) -> Aftermath:
    """Go on to the next channel after the task's own retries, unless the table has longer waits."""
    row = Delivery.objects.select_related("event").get(pk=delivery_id)
    last = row.position + 1 >= len(row.event.plan)
    if retries.wait_s(Channel(row.channel), Priority(row.priority), row.attempts, last=last) is not None:
        return Aftermath()  # its `ring_at` stands
    return store.give_up([delivery_id], now=now, kind=FailureKind.TEMPORARY, error=error, code="temporary")


def _is_providers_fault(tried: Tried) -> bool:
    """Tell whether a send speaks against the provider: it failed there, or took most of its time.

    When our own loop lags, everything looks slow, and that is nobody else's fault.
    """
    if sending_loop.lag_s() > _LAG_S:
        return False
    if tried.error is None:
        taken_s = (tried.ended_at - tried.started_at).total_seconds()
        return taken_s > _SLOW_SHARE * retries.timeout_s(tried.claimed.channel)
    return isinstance(tried.error, TemporaryError | OutcomeUnknown | ConfigurationError) and not isinstance(
        tried.error, LimitedError
    )


def _tell_breaker(batch: list[Tried]) -> None:
    """Count the batch's sends, one call for each channel."""
    started = [tried for tried in batch if tried.receipt or (tried.error and not tried.claimed.unusable)]
    for channel in dict.fromkeys(tried.claimed.channel for tried in started):
        mine = [tried for tried in started if tried.claimed.channel is channel]
        failed = sum(map(_is_providers_fault, mine))
        breaker.record(channel.name, calls=len(mine), failed=failed)


_KINDS: dict[type[TransportError], FailureKind] = {
    RecipientError: FailureKind.RECIPIENT,
    MessageError: FailureKind.MESSAGE,
    ConfigurationError: FailureKind.CONFIGURATION,
}
