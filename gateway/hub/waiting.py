"""Long polls: wait until an event has ended or the time is up."""

import asyncio
import contextlib
from dataclasses import replace

from gateway.hub.hub import hub
from gateway.hub.threads import publishing
from notifications.acks import event_ack
from notifications.events import Ack
from notifications.live import pubsub
from notifications.models import Broadcast, Event
from notifications.topics.acks import broadcast_ack
from runtime.postgres import clock

_POLL_S = 1.0

FINAL_WAIT_MAX_S = 30.0  # longest `?wait=`


async def until_final(pk: int | str, wait_s: float, *, duplicate: bool = False) -> Ack:
    """Return the ack of a stored event once it is final, or after `wait_s` seconds as it stands.

    The hint over pub/sub may be lost, so the database is also read every second. Raises: database errors.
    """
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + min(wait_s, FINAL_WAIT_MAX_S)
    ended = asyncio.Event()
    async with hub().listening(pubsub.final_channel(pk), lambda _: ended.set()):
        while True:
            ended.clear()
            ack = await publishing.run(_ack, pk)
            left_s = give_up_at - loop.time()
            if ack.final or left_s <= 0:
                return replace(ack, duplicate=duplicate)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), min(left_s, _POLL_S))


def _ack(pk: int | str) -> Ack:
    now = clock.now()
    if isinstance(pk, str):
        return broadcast_ack(Broadcast.objects.get(pk=pk), now=now)
    event = Event.objects.get(pk=pk)
    return event_ack(event, event.deliveries.order_by("position"), now=now)
