"""Sending a batch of claimed deliveries to their providers, on the sending loop."""

import asyncio
import logging
from datetime import timedelta

from notifications.delivery import admission, record, retries
from notifications.delivery.record import Clock, Tried
from notifications.delivery.slow_sends import Results
from notifications.live.frames import stored_content
from notifications.rendering.render import render
from notifications.settings import pipeline_settings
from notifications.store import Claimed
from notifications.transports.base import (
    MessageError,
    OutcomeUnknown,
    PermanentError,
    Receipt,
    TransportError,
)
from notifications.transports.registry import transport

log = logging.getLogger(__name__)


async def send_all(claimed: list[Claimed], results: Results, clock: Clock) -> None:
    """Send all rows concurrently and put each result into `results`."""
    settings = pipeline_settings()
    loop = asyncio.get_running_loop()
    stop_at = loop.time() + settings.batch_budget_s
    # A bulkhead per channel: a provider that hangs occupies its own slots only. A slot is occupied until
    # its result is in the database, which bounds the number of messages that a crash can repeat.
    batch_breaker = admission.BatchBreaker()
    slots = {row.channel: asyncio.Semaphore(settings.send_concurrency) for row in claimed}

    async def one(row: Claimed) -> None:
        async with slots[row.channel]:
            # Not started: the provider is down, or the lease is too short for another send.
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
    if started_at + timedelta(seconds=pipeline_settings().send_timeout_s) > row.lease_until:
        # This process was paused: another worker may have claimed the row since.
        return Tried(row, started_at, started_at)
    receipt: Receipt | None = None
    error: TransportError | None = None
    try:
        receipt = await _send(row)
    except TransportError as failure:
        error = failure
    except Exception as failure:  # a bug in a transport must not lose the row
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
