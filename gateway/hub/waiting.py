"""Long polls: wait until an event has ended or the time is up."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace

from gateway.hub.hub import hub
from gateway.hub.threads import Threads
from notifications.acks import event_ack
from notifications.events import Ack
from notifications.live import pubsub
from notifications.models import Broadcast, Event
from notifications.states import EventState
from notifications.topics.acks import broadcast_ack
from runtime.batching import Batcher
from runtime.loops import per_loop
from runtime.postgres import clock

_POLL_S = 1.0
_TOGETHER = 200  # events of one look

FINAL_WAIT_MAX_S = 30.0  # longest `?wait=`

Pk = int | str  # of an event, or of an event to a topic

# Threads of their own: hundreds who wait must not hold up those who publish.
_threads = Threads("waiting", 2)
_looks: "Callable[[], Batcher[tuple[Pk, bool], Ack | None]]" = per_loop(
    lambda: Batcher(_look, weight=_TOGETHER, calls=_threads.count)
)


async def until_final(pk: Pk, wait_s: float, *, duplicate: bool = False) -> Ack:
    """Return the ack of a stored event once it is final, or after `wait_s` seconds as it stands.

    The hint over pub/sub may be lost, so the database is also read every second. Raises: database errors.
    """
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + min(wait_s, FINAL_WAIT_MAX_S)
    ended = asyncio.Event()
    async with hub().listening(pubsub.final_channel(pk), lambda _: ended.set()):
        while True:
            ended.clear()
            left_s = give_up_at - loop.time()
            ack = await _looks().put((pk, left_s <= 0))
            if ack is not None:
                return replace(ack, duplicate=duplicate)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), min(max(left_s, 0.0), _POLL_S))


async def _look(asked: Sequence[tuple[Pk, bool]]) -> Sequence[Ack | None]:
    return await _threads.run(_acks, asked)


def _acks(asked: Sequence[tuple[Pk, bool]]) -> list[Ack | None]:
    """Return for each key the ack of what has ended, or with True as it stands; else None."""
    events = [pk for pk, _ in asked if isinstance(pk, int)]
    anyhow = {pk for pk, as_it_stands in asked if as_it_stands}
    open_ones = Event.objects.filter(pk__in=events, state=EventState.ACCEPTED.value)
    waiting = set(open_ones.values_list("pk", flat=True)) - anyhow if events else set()
    return [None if pk in waiting else _ack(pk, as_it_stands=last) for pk, last in asked]


def _ack(pk: Pk, *, as_it_stands: bool) -> Ack | None:
    now = clock.now()
    if isinstance(pk, str):
        ack = broadcast_ack(Broadcast.objects.get(pk=pk), now=now)
    else:
        event = Event.objects.get(pk=pk)
        ack = event_ack(event, event.deliveries.order_by("position"), now=now)
    return ack if ack.final or as_it_stands else None
