"""Trying deliveries: claim and commit, send, record and commit. No transaction spans a send."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from queue import Empty
from random import uniform

from notifications import store
from notifications.delivery import admission, pages, record, sending, sending_loop, slow_sends
from notifications.delivery.record import Clock
from notifications.delivery.slow_sends import Results, RunEffects
from notifications.events import Effects
from notifications.settings import pipeline_settings
from notifications.states import Channel
from notifications.store import Claimed
from notifications.transports.base import TemporaryError, TransportError
from runtime.failpoints import failpoint


class AlreadyClaimed(Exception):
    """The row is claimed by another worker, has ended, or is not due; the sweep rings for it if needed."""


def attempt_one(delivery_id: str, *, clock: Clock, run_effects: RunEffects) -> Effects:
    """Try one delivery as a batch of one, and return what its caller has to run.

    Raises: `AlreadyClaimed`; `TemporaryError` after the row was deferred for a short time: the caller's own
    retry comes first, and the row's `ring_at` a little later if that retry is lost.
    """
    claimed = _claim([delivery_id], clock)
    if not claimed:
        raise AlreadyClaimed(delivery_id)
    effects, errors = Effects(), list[TransportError]()
    for part in _attempt(claimed, clock, run_effects, errors):
        effects.add(part)
    for error in errors:
        if isinstance(error, TemporaryError) and any(r.delivery_id == delivery_id for r in effects.rings):
            raise error
    return effects


def attempt_many(delivery_ids: Sequence[str], *, clock: Clock, run_effects: RunEffects) -> Iterator[Effects]:
    """Try a batch of deliveries concurrently and record each result as it arrives.

    A row that is deferred for a short time is returned as a `Ring`. Slow sends are recorded by another
    thread, which calls `run_effects`.
    """
    yield from _attempt(_claim(delivery_ids, clock), clock, run_effects, [])


def _claim(delivery_ids: Sequence[str], clock: Clock) -> list[Claimed]:
    settings = pipeline_settings()
    claimed = store.claim(delivery_ids, now=clock(), lease_s=settings.lease_s, max_tries=settings.max_tries)
    if claimed:
        failpoint("claimed_before_send")
    return claimed


def _attempt(
    claimed: list[Claimed], clock: Clock, run_effects: RunEffects, errors: list[TransportError]
) -> Iterator[Effects]:
    """Push the pages, send the rest. The errors of recorded sends are appended to `errors`."""
    web = [row for row in claimed if row.channel is Channel.WEB]
    if web:
        yield pages.push(web, clock)
    others = _with_room([row for row in claimed if row.channel is not Channel.WEB], clock)
    admitted, moved_on = admission.admit(others, clock=clock)
    if moved_on:
        yield moved_on
    if admitted:
        yield from _send_and_record(admitted, clock, run_effects, errors)


def _with_room(rows: list[Claimed], clock: Clock) -> list[Claimed]:
    """Return the rows of channels that have free slots; postpone the others for a moment.

    So a provider that hangs fills its own slots only, and no worker waits for it.
    """
    most = pipeline_settings().send_concurrency
    full = {row.channel for row in rows if slow_sends.unrecorded_count(row.channel) >= most}
    crowded = [row for row in rows if row.channel in full]
    if crowded:
        until = [clock() + timedelta(seconds=uniform(1, 3)) for _ in crowded]  # noqa: S311
        store.postpone(crowded, until=until, ring_at=until, slots=[False] * len(crowded))
    return [row for row in rows if row.channel not in full]


def _send_and_record(
    claimed: list[Claimed], clock: Clock, run_effects: RunEffects, errors: list[TransportError]
) -> Iterator[Effects]:
    results = Results()
    sends = sending_loop.submit(sending.send_all(claimed, results, clock))
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
            errors += [tried.error for tried in batch if tried.error]
            sending_loop.call(slow_sends.free_slots, batch)
            # Effects can wait, results cannot: a crash before their commit repeats the message.
            if results.empty():
                yield effects
                effects = Effects()
    except BaseException:
        sends.cancel()  # nothing would record the results of further sends
        raise
