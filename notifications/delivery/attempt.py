"""Trying deliveries: look up and prepare, claim and commit, send, record and commit.

No transaction spans a send, and nothing that can fail lies between a claim and its send.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from queue import Empty
from random import uniform

from notifications import store
from notifications.delivery import admission, pages, record, room, slow_sends, turns, waits, wishes
from notifications.delivery.prepare import Prepared, each_alone, prepare, usable
from notifications.delivery.record import Clock
from notifications.delivery.sends import Sends
from notifications.delivery.slow_sends import RunEffects
from notifications.delivery.waits import Wait
from notifications.effects import Effects
from notifications.rendering import published
from notifications.settings import pipeline_settings
from notifications.states import Channel, Priority, WaitReason
from notifications.store import Due
from notifications.transports.base import TemporaryError, TransportError


class NotDue(Exception):
    """The row is under a lease, has ended, or is not due; the sweep rings for it if needed."""


def attempt_one(delivery_id: str, *, clock: Clock, run_effects: RunEffects) -> Effects:
    """Try one delivery as a batch of one, and return what its caller has to run.

    Raises: `NotDue`; `TemporaryError` after the row was deferred for a short time: the caller's own
    retry comes first, and the row's `ring_at` a little later if that retry is lost.
    """
    due = _look_up([delivery_id], clock)
    if not due:
        raise NotDue(delivery_id)
    effects, errors = Effects(), list[TransportError]()
    for part in _attempt(due, clock, run_effects, errors):
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
    yield from _attempt(_look_up(delivery_ids, clock), clock, run_effects, [])


def _look_up(delivery_ids: Sequence[str], clock: Clock) -> list[Due]:
    due = store.look_up(delivery_ids, now=clock(), max_tries=pipeline_settings().max_tries)
    published.refresh()
    return due


def _attempt(
    due: list[Due], clock: Clock, run_effects: RunEffects, errors: list[TransportError]
) -> Iterator[Effects]:
    """Push the pages, send the rest. The errors of recorded sends are appended to `errors`."""
    rows, unusable = usable(due, clock)
    if unusable:
        yield unusable
    rows, in_line = turns.take_turns(rows, clock)
    if in_line:
        yield in_line
    rows, held_back = each_alone(rows, lambda some: wishes.heed(some, clock), clock)
    if held_back:
        yield held_back
    web = [row for row in rows if row.channel is Channel.WEB]
    if web:
        yield pages.push(web, clock)
    others, crowded = _with_room([row for row in rows if row.channel is not Channel.WEB], clock)
    if crowded:
        yield crowded
    if not others:
        return
    prepared, moved_on = each_alone(others, lambda some: _prepare(some, clock), clock)
    if moved_on:
        yield moved_on
    if prepared:
        yield from _send_and_record(Sends(prepared, clock), run_effects, errors)


def _prepare(rows: Sequence[Due], clock: Clock) -> tuple[list[Prepared], Effects]:
    """Render first: a row that cannot be rendered must not have taken a place within the limits."""
    prepared = {row.delivery_id: prepare(row) for row in rows}
    admitted, moved_on = admission.admit(rows, clock=clock)
    return [prepared[row.delivery_id] for row in admitted], moved_on


def _with_room(rows: list[Due], clock: Clock) -> tuple[list[Due], Effects]:
    """Return the rows of channels that have free slots; the others wait for a moment, or go on.

    A NORMAL one is left as it is: it is taken along, or rung for by the sweep.
    """
    full = {key for key in {(row.channel, row.priority) for row in rows} if room.is_full(*key)}
    now = clock()
    crowded = [
        Wait(row, now + timedelta(seconds=uniform(1, 3)))  # noqa: S311
        for row in rows
        if (row.channel, row.priority) in full
    ]
    left = waits.leaving(crowded, WaitReason.NO_ROOM, now)
    urgent = [one for one in crowded if one.row.priority is Priority.CRITICAL and one not in left]
    waits.wait(urgent, WaitReason.NO_ROOM, now)
    effects = waits.leave(left, WaitReason.NO_ROOM, now)
    return [row for row in rows if (row.channel, row.priority) not in full], effects


def _send_and_record(
    sends: Sends, run_effects: RunEffects, errors: list[TransportError]
) -> Iterator[Effects]:
    try:
        effects = sends.start()
        while running := +sends.running:
            try:
                batch = sends.results.get(within_s=slow_sends.patience_s(list(running)))
            except Empty:
                slow_sends.hand_over(sends, run_effects)
                break
            effects.add(record.record(batch, sends.clock))
            errors += [tried.error for tried in batch if tried.error]
            sends.recorded(batch)
            effects.add(sends.start())
            # Effects can wait, results cannot: a crash before their commit repeats the message.
            if sends.results.empty():
                yield effects
                effects = Effects()
    except BaseException:
        sends.cancel()
        raise
    if effects:
        yield effects
