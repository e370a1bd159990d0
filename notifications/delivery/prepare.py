"""All of an attempt that can fail without its provider, done before the row is claimed."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from notifications import store
from notifications.delivery.record import Clock
from notifications.effects import Effects
from notifications.live.frames import stored_content
from notifications.rendering.digest import render_digest
from notifications.rendering.locales import gettext, speaking
from notifications.rendering.render import render
from notifications.states import AttemptOutcome, FailureKind, Priority
from notifications.store import Due, Failure, LeaseLost
from notifications.transports.base import Message
from notifications.transports.registry import transport
from runtime.postgres.away import DATABASE_AWAY

log = logging.getLogger(__name__)

T = TypeVar("T")


def asking(message: Message, priority: Priority, locale: str) -> Message:
    """Return the message with its button for an acknowledgement: the producer's, or that of CRITICAL."""
    label = next((action.label for action in message.actions if action.is_acknowledge), "")
    if not label and priority is Priority.CRITICAL:
        with speaking(locale):
            label = gettext("Got it")
    return replace(message, acknowledge_label=label) if label else message


@dataclass(frozen=True, slots=True)
class Prepared:
    """A row that only has to be claimed and sent."""

    due: Due
    message: Message


def prepare(row: Due) -> Prepared:
    """Render the message, and make sure that there is a transport. Raises: any error."""
    transport(row.channel)
    if row.members:
        try:
            return Prepared(row, _digest(row))
        except Exception:  # the fault of one event must not end the others
            log.exception("digest_not_rendered", extra={"delivery_id": row.delivery_id})
            row = replace(row, members=())
    content = stored_content(row, row.time_zone, row.locale)
    message = render(content, row.channel, key=row.delivery_id, possible_duplicate=row.possible_duplicate)
    return Prepared(row, asking(message, row.priority, row.locale))


def _digest(row: Due) -> Message:
    contents = [stored_content(one, one.time_zone, one.locale) for one in (row, *row.members)]
    return render_digest(contents, row.channel, key=row.delivery_id)


def usable(rows: Sequence[Due], clock: Clock) -> tuple[list[Due], Effects]:
    """Return the rows that can be sent. The others end here, and their events go on to the next channel."""
    effects = Effects()
    for row in rows:
        if row.unreadable:
            effects.add(end_unsendable(row, row.unreadable, clock))
        elif row.unusable:
            effects.add(_skip(row, clock))
    return [row for row in rows if not row.unreadable and not row.unusable], effects


def each_alone(
    rows: Sequence[Due], step: Callable[[Sequence[Due]], tuple[list[T], Effects]], clock: Clock
) -> tuple[list[T], Effects]:
    """Do a step for all rows at once; if it fails, for each row alone, and end those that make it fail.

    So no fault of one row holds back the others of its doorbell.
    """
    try:
        return step(rows)
    except DATABASE_AWAY:
        raise
    except Exception:
        log.exception("attempt_failed", extra={"delivery_ids": [row.delivery_id for row in rows]})
    if len(rows) == 1:
        return [], end_unsendable(rows[0], "the message cannot be made: see the log", clock)
    done, effects = list[T](), Effects()
    for row in rows:
        one, more = each_alone([row], step, clock)
        done += one
        effects.add(more)
    return done, effects


def end_unsendable(row: Due, reason: str, clock: Clock) -> Effects:
    """End a row that no attempt can be made of: the fault is ours, not the recipient's."""
    log.error("delivery_unsendable", extra={"delivery_id": row.delivery_id, "reason": reason})
    now = clock()
    failure = Failure(row, now, now, AttemptOutcome.CONFIGURATION, reason)
    try:
        return store.record_failed(failure, FailureKind.CONFIGURATION, now=now)
    except LeaseLost:  # another worker was first
        return Effects()


def _skip(row: Due, clock: Clock) -> Effects:
    now = clock()
    try:
        return store.record_skipped(Failure(row, now, now, AttemptOutcome.RECIPIENT, row.unusable), now=now)
    except LeaseLost:
        return Effects()
