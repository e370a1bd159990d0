"""One send to a provider, on the sending loop."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import timedelta

from notifications.delivery import waits
from notifications.delivery.record import Clock, Tried
from notifications.store import Claimed
from notifications.transports.base import Message, OutcomeUnknown, Receipt, TransportError
from notifications.transports.registry import transport

log = logging.getLogger(__name__)

Started = tuple[Claimed, Message]


async def send_all(started: Iterable[Started], put: Callable[[Tried], None], clock: Clock) -> None:
    """Send all messages concurrently, and hand over each result."""

    async def one(row: Claimed, message: Message) -> None:
        put(await _try(row, message, clock))

    await asyncio.gather(*(one(row, message) for row, message in started))


async def _try(row: Claimed, message: Message, clock: Clock) -> Tried:
    started_at = clock()
    timeout_s = waits.timeout_s(row, started_at)
    if started_at + timedelta(seconds=timeout_s) > row.lease_until:
        # This process was paused: another worker may have claimed the row since.
        return Tried(row, started_at, started_at)
    receipt: Receipt | None = None
    error: TransportError | None = None
    try:
        receipt = await transport(row.channel).send(message, row.address, timeout_s=timeout_s)
    except TransportError as failure:
        error = failure
    except Exception as failure:  # a bug in a transport must not lose the row
        log.exception("transport_bug", extra={"delivery_id": row.delivery_id, "channel": row.channel.name})
        error = OutcomeUnknown(f"unexpected {type(failure).__name__}")
    return Tried(row, started_at, clock(), receipt, error, message.template_version, message.member_versions)
