"""Trying deliveries: claim and commit, send, record and commit. No transaction spans a send."""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from queue import Empty
from random import uniform

from notifications import knobs, store
from notifications.delivery import admission, record, retries, sending_loop, slow_sends
from notifications.delivery.record import Clock, Tried
from notifications.delivery.slow_sends import Results, RunEffects
from notifications.events import Effects
from notifications.live import pubsub
from notifications.live.frames import event_frame, stored_content
from notifications.rendering.render import render
from notifications.states import AttemptOutcome, Channel
from notifications.store import Claimed, Failure, LeaseLost, Success
from notifications.transports.base import (
    MessageError,
    OutcomeUnknown,
    PermanentError,
    Receipt,
    TemporaryError,
    TransportError,
)
from notifications.transports.registry import transport
from runtime.failpoints import failpoint

log = logging.getLogger(__name__)


class AlreadyClaimed(Exception):
    """The row is somebody else's, has ended, or is not due; the sweep looks after it."""


def attempt_one(delivery_id: str, *, clock: Clock, run_effects: RunEffects) -> Effects:
    """Make one try of one delivery and record it. A slow send goes on alone and calls `run_effects` later.

    Raises: `AlreadyClaimed`; `TemporaryError` after the row was deferred, so that the task's own retry
    is the fast path and the row's `ring_at` the one of record.
    """
    claimed = _claim([delivery_id], clock)
    if not claimed:
        raise AlreadyClaimed(delivery_id)
    if claimed[0].channel is Channel.WEB:
        return _push(claimed, clock)
    admitted, effects = admission.admit(_with_room(claimed, clock), clock=clock)
    if not admitted:
        return effects
    results = Results()
    sending_loop.submit(_send_all(admitted, results, clock))
    try:
        [tried] = results.get(within_s=slow_sends.patience_s([claimed[0].channel]))
    except Empty:
        results.hand_over(Counter([claimed[0].channel]), clock, run_effects)
        return Effects()
    effects = record.record([tried], clock)
    sending_loop.call(slow_sends.set_recorded, [tried])
    deferred = any(ring.delivery_id == delivery_id for ring in effects.rings)
    if deferred and isinstance(tried.error, TemporaryError):
        raise tried.error
    return effects


def attempt_many(delivery_ids: Sequence[str], *, clock: Clock, run_effects: RunEffects) -> Iterator[Effects]:
    """Make the first tries of a batch side by side, recording results as they come in.

    A row that fails for a passing reason goes on alone: it is returned as a `Ring`. What takes long is
    recorded by another thread, which calls `run_effects`.
    """
    claimed = _claim(delivery_ids, clock)
    pages = [row for row in claimed if row.channel is Channel.WEB]
    others = [row for row in claimed if row.channel is not Channel.WEB]
    if pages:
        yield _push(pages, clock)
    if others:
        others, moved_on = admission.admit(_with_room(others, clock), clock=clock)
        if moved_on.rings or moved_on.finals:
            yield moved_on
        yield from _send_and_record(others, clock, run_effects)


def _with_room(rows: list[Claimed], clock: Clock) -> list[Claimed]:
    """Return the rows of channels that have room for more; the others come again in a moment.

    A hanging provider fills its own slots, and no worker waits with it.
    """
    full = {
        row.channel for row in rows if slow_sends.waiting(row.channel) >= knobs.current().send_concurrency
    }
    crowded = [row for row in rows if row.channel in full]
    if crowded:
        until = [clock() + timedelta(seconds=uniform(1, 3)) for _ in crowded]  # noqa: S311
        store.postpone(crowded, until=until, ring_at=until, slots=[False] * len(crowded))
    return [row for row in rows if row.channel not in full]


def _send_and_record(claimed: list[Claimed], clock: Clock, run_effects: RunEffects) -> Iterator[Effects]:
    results = Results()
    sending = sending_loop.submit(_send_all(claimed, results, clock))
    open_rows = Counter(row.channel for row in claimed)
    effects = Effects()
    try:
        while open_rows.total():
            try:
                batch = results.get(within_s=slow_sends.patience_s(list(+open_rows)))
            except Empty:
                results.hand_over(open_rows, clock, run_effects)
                return
            open_rows.subtract(Counter(tried.claimed.channel for tried in batch))
            effects.add(record.record(batch, clock))
            sending_loop.call(slow_sends.set_recorded, batch)
            # What follows can wait, a result cannot: a crash before its commit repeats the message.
            if results.empty():
                yield effects
                effects = Effects()
    except BaseException:
        sending.cancel()  # nobody is left to record what it sends
        raise


def _claim(delivery_ids: Sequence[str], clock: Clock) -> list[Claimed]:
    settings = knobs.current()
    claimed = store.claim(delivery_ids, now=clock(), lease_s=settings.lease_s, max_tries=settings.max_tries)
    if claimed:
        failpoint("claimed_before_send")
    return claimed


async def _send_all(claimed: list[Claimed], results: Results, clock: Clock) -> None:
    settings = knobs.current()
    loop = asyncio.get_running_loop()
    stop_at = loop.time() + settings.batch_budget_s
    # A bulkhead per channel: a hanging provider holds its own slots only, and not for long. A slot is
    # held until its result is in the database, which bounds what a crash can repeat.
    batch_breaker = admission.BatchBreaker()
    slots = {row.channel: asyncio.Semaphore(settings.send_concurrency) for row in claimed}

    async def one(row: Claimed) -> None:
        async with slots[row.channel]:
            # Not started: the provider is down, or the lease would not last for another send.
            if loop.time() > stop_at or batch_breaker.tripped(row.channel):
                results.put(Tried(row, clock(), clock()))
                return
            tried = await _try(row, clock)
            batch_breaker.count(row.channel, failed=record.is_providers_fault(tried))
            results.put(tried)
            await tried.recorded.wait()

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
        content = stored_content(row, row.time_zone)
        message = render(content, row.channel, key=row.delivery_id, possible_duplicate=row.possible_duplicate)
    except Exception as failure:
        log.exception("render_failed", extra={"delivery_id": row.delivery_id, "type": row.event_type})
        raise MessageError("the message cannot be rendered") from failure
    return await transport(row.channel).send(message, row.address, timeout_s=retries.timeout_s(row.channel))


def _push(rows: list[Claimed], clock: Clock) -> Effects:
    """Push WEB deliveries whose turn came after other channels."""
    started_at = clock()
    deadlines = [started_at + timedelta(milliseconds=row.ack_timeout_ms) for row in rows]
    frames = [
        (row.person_id, event_frame(stored_content(row, row.time_zone), ack_by=deadline, repeat=True))
        for row, deadline in zip(rows, deadlines, strict=True)
    ]
    receivers = pubsub.push(frames)
    ended_at = clock()
    taken = [
        (Success(row.delivery_id, row.token, started_at, ended_at), deadline)
        for row, deadline, count in zip(rows, deadlines, receivers, strict=True)
        if count
    ]
    if taken:
        store.record_pushed([success for success, _ in taken], [deadline for _, deadline in taken])
    effects = Effects()
    for row, count in zip(rows, receivers, strict=True):
        if not count:
            failure = Failure(row, started_at, ended_at, AttemptOutcome.NO_SESSION, "no_session")
            try:
                effects.add(store.record_skipped(failure, now=ended_at))
            except LeaseLost:  # confirmed meanwhile: the person had the frame from an earlier push
                log.warning("late_result_refused", extra={"delivery_id": row.delivery_id})
    return effects
