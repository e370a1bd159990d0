"""Further due rows for a doorbell that has room: a backlog of single doorbells then drains in batches."""

from collections.abc import Iterator, Sequence

from notifications import store
from notifications.delivery.attempt import attempt_many
from notifications.delivery.record import Clock
from notifications.delivery.slow_sends import RunEffects
from notifications.effects import Effects
from notifications.settings import pipeline_settings

_PROGRESS = 0.5  # the share of a batch that may still wait when a worker goes on with the next one


def attempt_further(
    delivery_ids: Sequence[str], *, clock: Clock, run_effects: RunEffects
) -> Iterator[Effects]:
    """Try rows of the same priority that are due as well, up to the size of a batch.

    A row is due some seconds after its doorbell was rung, so without a backlog there are none. While there
    is one and the sends get through, the last effect is a doorbell for the next batch.
    """
    free = pipeline_settings().batch_size - len(delivery_ids)
    rows = store.backlog.due_beside(delivery_ids, now=clock(), limit=free) if free > 0 else []
    if not rows:
        return
    ids = [row.delivery_id for row in rows]
    yield from attempt_many(ids, clock=clock, run_effects=run_effects)
    # Where a provider is slow, limited or down, more workers would not help: the sweep goes on.
    if len(rows) == free and store.backlog.still_waiting(ids) <= free * _PROGRESS:
        yield Effects(rings=store.backlog.due_beside(ids, now=clock(), limit=1))
