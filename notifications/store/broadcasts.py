"""The table of broadcasts: accepted once, resumed after a crash, ended once all of its events have ended."""

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Count, Q

from notifications.effects import Effects, FanOut
from notifications.models import Broadcast, Event
from notifications.states import EndCode, EventState, Evidence, Priority, StoredAs
from notifications.store import topic_ids
from runtime.failpoints import failpoint

_SWEPT_AT_ONCE = 100
_TURN_AGAIN_S = 1.0
_SWEEP_AGAIN_S = (1.0, 60.0)

Key = tuple[int, str]


def fallback_ring_at(now: datetime) -> datetime:
    """Return when the sweep visits a broadcast whose doorbell is about to be rung."""
    return now + timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Kept:
    """The state of a broadcast in the database after `accept`."""

    kind: StoredAs
    row: Broadcast | None  # None: a person's event has this id


def accept(batch: Sequence[Broadcast]) -> list[Kept]:
    """Store broadcasts and return one `Kept` for each, in order.

    Guarantee: when this returns, each of kind "accepted" is committed. Unique by (source, event_id), and
    no person's event has the same id.
    """
    with transaction.atomic():
        topic_ids.lock_exclusive(row.source_id for row in batch)
        taken = _events_with({_key(row) for row in batch})
        wanted = {_key(row): row for row in reversed(batch) if _key(row) not in taken}
        # In order: two batches with the same ids would deadlock otherwise.
        Broadcast.objects.bulk_create([wanted[key] for key in sorted(wanted)], ignore_conflicts=True)
        rows = {_key(row): row for row in find(list(wanted))}
        failpoint("broadcast_before_commit")
    return [_kept(row, rows.get(_key(row))) for row in batch]


def _kept(sent: Broadcast, row: Broadcast | None) -> Kept:
    if row is None or bytes(row.digest) != bytes(sent.digest):
        return Kept(StoredAs.CONFLICT, row)
    return Kept(StoredAs.ACCEPTED if row.pk == sent.pk else StoredAs.DUPLICATE, row)


def _key(row: Broadcast) -> Key:
    return row.source_id, row.event_id


def find(keys: Sequence[Key]) -> list[Broadcast]:
    """Return the broadcasts that have these ids."""
    event_ids = {event_id for _, event_id in keys}
    found = Broadcast.objects.filter(source_id__in={source for source, _ in keys}, event_id__in=event_ids)
    return [row for row in found if _key(row) in set(keys)]


def _events_with(keys: set[Key]) -> set[Key]:
    event_ids = {event_id for _, event_id in keys}
    found = Event.objects.filter(source_id__in={source for source, _ in keys}, event_id__in=event_ids)
    return set(found.order_by().values_list("source_id", "event_id")) & keys


def claim(broadcast_pk: str, *, now: datetime, again_s: float) -> Broadcast | None:
    """Return the broadcast if its fan-out is unfinished; the sweep ignores it for `again_s`."""
    left = Broadcast.objects.filter(pk=broadcast_pk, told_at__isnull=True, ring_at__isnull=False)
    left.update(ring_at=now + timedelta(seconds=again_s))
    return left.select_related("source").first()


_ONE_BEFORE = """
SELECT true FROM notifications_broadcast b
WHERE b.ring_at IS NOT NULL AND b.told_at IS NULL AND b.source_id = %(source)s AND b.accepted_at < %(at)s
  AND (b.content->>'ordering_key' = NULLIF(%(ordering_key)s, '')
       OR b.content->>'collapse_key' = NULLIF(%(collapse_key)s, ''))
LIMIT 1
"""


def waits_for_another(row: Broadcast, *, now: datetime) -> bool:
    """Tell whether an earlier broadcast with one of the same keys is still fanned out; if so, come back."""
    keys = {name: row.content.get(name, "") for name in ("ordering_key", "collapse_key")}
    if not any(keys.values()):
        return False
    with connection.cursor() as cursor:
        cursor.execute(_ONE_BEFORE, keys | {"source": row.source_id, "at": row.accepted_at})
        if cursor.fetchone() is None:
            return False
    again = now + timedelta(seconds=_TURN_AGAIN_S)
    Broadcast.objects.filter(pk=row.pk, told_at__isnull=True).update(ring_at=again)
    return True


def advance(broadcast_pk: str, *, up_to: int, now: datetime) -> None:
    """Record that persons up to this id have their events. The next chunk's doorbell is rung after this."""
    left = Broadcast.objects.filter(pk=broadcast_pk, told_up_to__lt=up_to, told_at__isnull=True)
    left.update(told_up_to=up_to, ring_at=fallback_ring_at(now))


def finish(broadcast_pk: str, *, now: datetime) -> None:
    """Record that the fan-out is complete; from now on the sweep waits for the last event to end."""
    Broadcast.objects.filter(pk=broadcast_pk, told_at__isnull=True).update(told_at=now, ring_at=now)


def sweep(*, now: datetime, again_s: float) -> Effects:
    """Continue or end every broadcast whose `ring_at` has passed. Idempotent; several may run in parallel."""
    effects = Effects()
    with transaction.atomic():
        due = Broadcast.objects.select_for_update(skip_locked=True).filter(ring_at__lte=now)
        for row in due.order_by("-priority", "ring_at")[:_SWEPT_AT_ONCE]:
            if row.told_at is None:
                Broadcast.objects.filter(pk=row.pk).update(ring_at=now + timedelta(seconds=again_s))
                effects.fan_outs.append(FanOut(str(row.pk), Priority(row.priority)))
            elif row.events.filter(state=EventState.ACCEPTED).exists():
                Broadcast.objects.filter(pk=row.pk).update(ring_at=_next_sweep(row, now))
            else:
                _end(row, now)
                effects.broadcasts.append(str(row.pk))
    return effects


def _next_sweep(row: Broadcast, now: datetime) -> datetime:
    """Return a time after a tenth of the broadcast's age: old ones may be reported later."""
    shortest, longest = _SWEEP_AGAIN_S
    age_s = (now - row.accepted_at).total_seconds()
    return now + timedelta(seconds=min(max(age_s / 10, shortest), longest))


def counts(broadcast_pk: uuid.UUID) -> dict[str, int]:
    """Return the number of the broadcast's events in each state now."""
    rows = Event.objects.filter(broadcast_id=broadcast_pk).order_by().values_list("state")
    return dict(rows.annotate(count=Count("pk")))


def _end(row: Broadcast, now: datetime) -> None:
    """End the broadcast once: delivered if any event was, with the weakest evidence among those."""
    found = Counter(counts(row.pk))
    state, code = EventState.DELIVERED, ""
    if not found:
        overdue = row.expires_at <= now
        state = EventState.EXPIRED if overdue else EventState.FAILED
        code = EndCode.EXPIRED if overdue else EndCode.NO_SUBSCRIBERS
    elif not found[EventState.DELIVERED.value]:
        state, code = EventState.FAILED, EndCode.NOBODY_REACHED
    Broadcast.objects.filter(pk=row.pk, final_at__isnull=True).update(
        state=state,
        code=code,
        evidence=_weakest(row) if state is EventState.DELIVERED else Evidence.NONE,
        counts=dict(found),
        ring_at=None,
        final_at=now,
    )


def _weakest(row: Broadcast) -> Evidence:
    found = row.events.filter(~Q(evidence=Evidence.NONE), state=EventState.DELIVERED).order_by()
    seen = set(found.values_list("evidence", flat=True).distinct())
    order = (Evidence.TRANSPORT, Evidence.CLIENT, Evidence.HUMAN)
    return next((evidence for evidence in order if evidence.value in seen), Evidence.NONE)
