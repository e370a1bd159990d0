"""Erasing a person: step by step, each committed, so that a crash loses nothing and repeats little.

First their row becomes a tombstone and all that is open ends; then their events are emptied; then what quotes
them elsewhere; their own rows go last, since what is to be looked for comes from them.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from notifications import store
from notifications.effects import Effects
from notifications.models import Event
from notifications.store.erasure import Erased
from users.models import Erasure
from users.people import erasing
from users.people.erasing import Operator

log = logging.getLogger(__name__)

CHUNK = 500  # events of one transaction
Clock = Callable[[], datetime]


@dataclass(slots=True)
class Progress:
    """How far an erasure is. The caller runs the effects."""

    order: Erasure
    effects: Effects = field(default_factory=Effects)

    @property
    def finished(self) -> bool:
        return self.order.finished_at is not None


def begin(person_id: int, *, by: Operator, now: datetime) -> Erasure:
    """Order the erasure of a person. When this returns, no event is accepted for them and nobody is them."""
    with store.erasure.closing(person_id):
        return erasing.begin(person_id, by=by, now=now)


def advance(order: Erasure, *, clock: Clock, chunks: int) -> Progress:
    """Go on with an erasure, for up to `chunks` transactions. Two at once do the same work twice.

    It ends only when every send that had begun is over: until `quiet_at` it has to be called again.
    """
    progress = Progress(order)
    if progress.finished:
        return progress
    for _ in range(chunks):
        if not _note(progress, lambda: store.erasure.end_open(order.person_id, now=clock(), limit=CHUNK)):
            break
    for _ in range(chunks):
        if not _note(progress, lambda: _erase_next(order, clock())):
            _end(progress, clock())
            break
    return progress


def _erase_next(order: Erasure, now: datetime) -> Erased:
    return store.erasure.erase_events(order.person_id, after=order.erased_up_to, now=now, limit=CHUNK)


def _note(progress: Progress, step: Callable[[], Erased]) -> int:
    """Take a step and note it in one transaction. Return on how many events."""
    with transaction.atomic():
        done = step()
        if done.count:
            erasing.note(progress.order, up_to=done.up_to, quiet_at=done.quiet_at)
    progress.effects.add(done.effects)
    return done.count


def _end(progress: Progress, now: datetime) -> None:
    order = progress.order
    if order.quiet_at is not None and order.quiet_at > now:
        return  # a result that is not written yet may still be in a worker's hands
    store.erasure.erase_mentions(erasing.sought(order), reference=order.person.external_id)
    erasing.forget(order)
    erasing.finish(order, events=Event.objects.filter(person_id=order.person_id).count(), now=now)


def advance_all(*, clock: Clock, chunks: int) -> Effects:
    """Go on with every erasure that is not finished, the oldest first. One that fails stops no other."""
    effects = Effects()
    for order in Erasure.objects.filter(finished_at=None).select_related("person").order_by("at"):
        try:
            effects.add(advance(order, clock=clock, chunks=chunks).effects)
        except Exception as error:  # its text may quote the person
            log.error("erasure_failed", extra={"erasure": str(order.pk), "error": type(error).__name__})
    return effects
