"""Accepting a batch of events in one transaction."""

import json
import uuid
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import psycopg
from django.db import OperationalError, transaction

from notifications.effects import Effects
from notifications.states import Channel, DeliveryState, EndCode, EventState, StoredAs, WaitReason
from notifications.store import inbox, order, topic_ids
from notifications.store.acceptance import Acceptance, Stored, end_code
from notifications.store.deliveries import held, insert_deliveries, new_delivery
from notifications.store.events import event_row, insert_events
from runtime.failpoints import failpoint
from runtime.postgres.cursor import binary_cursor

_RACES_AT_MOST = 5


class _Raced(Exception):
    """Another transaction has just stored one of these ids for another person: read again."""


class _NewPersons(Exception):
    """These persons have no cursor yet: create them while no lock is held, then start again."""

    def __init__(self, person_ids: list[int]) -> None:
        super().__init__(person_ids)
        self.person_ids = person_ids


Key = tuple[int, str]


def accept(batch: Sequence[Acceptance], *, now: datetime) -> list[Stored]:
    """Store a batch and return one `Stored` for each, in order.

    Guarantee: when this returns, every event of kind "accepted" is committed, with the next gap-free
    `seq` of its person, and its first delivery is due. An event is unique by (source, event_id).
    """
    erased: set[int] = set()
    for _ in range(_RACES_AT_MOST):
        try:
            with transaction.atomic():
                stored = _accept(batch, erased, now)
                failpoint("accept_before_commit")
                return stored
        except _NewPersons as new:
            erased |= set(new.person_ids) - inbox.create_cursors(new.person_ids)
        except _Raced:
            continue
        except OperationalError as error:
            # Two batches had the same ids for other persons, in another order; Postgres aborted one of them.
            if not isinstance(error.__cause__, psycopg.errors.DeadlockDetected):
                raise
    raise RuntimeError("event ids kept changing hands between persons")


def _accept(whole: Sequence[Acceptance], erased: Collection[int], now: datetime) -> list[Stored]:
    taken = _taken_by_topics(whole)
    batch = [item for item in whole if _key(item) not in taken and item.person_id not in erased]
    last_seq = _last_seqs({item.person_id for item in batch})
    known = _known(batch)
    fresh: dict[Key, tuple[Acceptance, int]] = {}
    for item in batch:
        key = _key(item)
        if key not in known and key not in fresh:
            last_seq[item.person_id] += 1
            fresh[key] = (item, last_seq[item.person_id])
    stored = _insert(fresh, now) if fresh else {}
    earlier = _supersede(fresh, stored, now)
    inbox.advance_cursors({item.person_id: last_seq[item.person_id] for item, _ in fresh.values()})
    results = [
        _TAKEN_BY_TOPIC
        if _key(item) in taken
        else _ERASED
        if item.person_id in erased
        else _result(item, stored, known)
        for item in whole
    ]
    if earlier:
        results[0] = replace(results[0], effects=earlier)
    return results


_TAKEN_BY_TOPIC = Stored(StoredAs.CONFLICT, 0, 0, EventState.FAILED)
_ERASED = Stored(StoredAs.UNKNOWN_USER, 0, 0, EventState.FAILED)


def _taken_by_topics(batch: Sequence[Acceptance]) -> set[Key]:
    """Return which of these ids belong to broadcasts; until the commit, no other broadcast can take one."""
    sources = [item.envelope.source for item in batch if item.envelope.source.topic_prefixes]
    if not sources:
        return set()
    topic_ids.lock_shared(source.id for source in sources)
    return topic_ids.taken_by_topics([_key(item) for item in batch])


def _key(item: Acceptance) -> Key:
    return item.envelope.source.id, item.envelope.event_id


def _last_seqs(person_ids: set[int]) -> dict[int, int]:
    """Return the last seq of each person, locked. Raises: `_NewPersons`."""
    wanted = sorted(person_ids)
    found = inbox.lock_cursors(wanted)
    if len(found) < len(wanted):
        raise _NewPersons([person for person in wanted if person not in found])
    return found


def _known(batch: Sequence[Acceptance]) -> dict[Key, tuple[bytes, Stored]]:
    """Return the events that are stored already, with their digests. The cursors are locked."""
    with binary_cursor() as cursor:
        cursor.execute(
            "SELECT e.source_id, e.event_id, e.digest, e.id, e.seq, e.state, e.code, e.final_at"
            " FROM notifications_event e"
            " JOIN unnest(%b::bigint[], %b::text[]) AS k(source_id, event_id) USING (source_id, event_id)",
            [[item.envelope.source.id for item in batch], [item.envelope.event_id for item in batch]],
        )
        return {
            (row[0], row[1]): (
                bytes(row[2]),
                Stored(
                    StoredAs.DUPLICATE,
                    row[3],
                    row[4],
                    EventState(row[5]),
                    code=row[6],
                    final_at=row[7],
                ),
            )
            for row in cursor.fetchall()
        }


def _insert(fresh: dict[Key, tuple[Acceptance, int]], now: datetime) -> dict[Key, tuple[bytes, Stored]]:
    behind = _behind(fresh)
    rows = [event_row(item, seq, now) for item, seq in fresh.values()]
    for key, row in zip(fresh, rows, strict=True) if behind else ():
        if key in behind:
            row["trace"] = _with_wait(row["trace"], fresh[key][0], behind[key], now)
    ids = insert_events(rows)
    if len(ids) < len(fresh):
        raise _Raced
    stored = {}
    deliveries = []
    for key, (item, seq) in fresh.items():
        delivery = _delivery_row(item, ids[key], behind.get(key), now) if item.plan.steps else None
        if delivery:
            deliveries.append(delivery)
        stored[key] = (item.envelope.digest, _accepted(item, ids[key], seq, delivery, now))
    if deliveries:
        insert_deliveries(deliveries)
    return stored


def _behind(fresh: dict[Key, tuple[Acceptance, int]]) -> dict[Key, tuple[int, str]]:
    """Return which events wait for one before them in the batch: how many there are, and the last one's id.

    For those of earlier batches a worker looks when the doorbell of the first one rings.
    """
    lines: dict[tuple[int, int, str], list[str]] = {}
    found = {}
    for key, (item, _) in fresh.items():
        name = item.envelope.ordering_key
        if not name or not item.plan.steps:
            continue
        line = lines.setdefault((key[0], item.person_id, name), [])
        if line and item.plan.steps[0].channel is not Channel.WEB and item.plan.steps[0].hold_until is None:
            found[key] = (len(line), line[-1])
        line.append(key[1])
    return found


def _with_wait(trace: str, item: Acceptance, behind: tuple[int, str], now: datetime) -> str:
    step = item.plan.steps[0]
    line = order.trace_line(step.channel, step.destination_id, behind[1], now=now)
    return json.dumps([*json.loads(trace), line])


def _supersede(
    fresh: dict[Key, tuple[Acceptance, int]], stored: dict[Key, tuple[bytes, Stored]], now: datetime
) -> Effects | None:
    """End what the new events have replaced, also of this batch. Return the effects of the others' ends."""
    lines = {
        (key[0], item.person_id, item.envelope.collapse_key)
        for key, (item, _) in fresh.items()
        if item.envelope.collapse_key
    }
    ended = order.supersede(lines, now=now) if lines else []
    new = {truth.event_pk: (key, digest, truth) for key, (digest, truth) in stored.items()} if ended else {}
    effects = Effects(freed=[one.pk for one in ended])
    for one in ended:
        if one.pk in new:
            key, digest, truth = new[one.pk]
            stored[key] = digest, _superseded(truth, one.by, now)
        else:
            effects.finals.append(one.pk)
            effects.replies |= one.replies
    return effects if ended else None


def _superseded(truth: Stored, by: str, now: datetime) -> Stored:
    state, code = EventState.SUPERSEDED, EndCode.SUPERSEDED
    return replace(truth, state=state, code=code, final_at=now, delivery_id="", superseded_by=by)


def _accepted(item: Acceptance, pk: int, seq: int, delivery: dict[str, Any] | None, now: datetime) -> Stored:
    if delivery is None:
        return Stored(StoredAs.ACCEPTED, pk, seq, EventState.FAILED, code=end_code(item.plan), final_at=now)
    token = str(delivery["lease_token"] or "")
    waits = delivery["wait_reason"] == WaitReason.ORDER
    delivery_id = str(delivery["id"])
    return Stored(
        StoredAs.ACCEPTED, pk, seq, EventState.ACCEPTED, delivery_id=delivery_id, token=token, waits=waits
    )


def _delivery_row(
    item: Acceptance, event_pk: int, behind: tuple[int, str] | None, now: datetime
) -> dict[str, Any]:
    """Return the first delivery. A WEB one starts claimed: the accepting process pushes it at once."""
    step = item.plan.steps[0]
    live = step.channel is Channel.WEB
    deadline = now + timedelta(milliseconds=item.ack_timeout_ms)
    if behind is not None:
        state = _in_line(behind[0], item, now)
    else:
        state = _pushed(deadline) if live else held(step.hold_until, step.hold_reason, now)
    return new_delivery(
        event_pk,
        channel=step.channel,
        destination_id=step.destination_id,
        position=0,
        priority=item.envelope.priority,
        now=now,
        **state,
    )


def _in_line(ahead: int, item: Acceptance, now: datetime) -> dict[str, Any]:
    return {
        "wait_reason": WaitReason.ORDER.value,
        "waiting_since": now,
        "ring_at": min(order.look_again_at(ahead, item.envelope.priority, now=now), item.expires_at),
    }


def _pushed(deadline: datetime) -> dict[str, Any]:
    return {
        "state": DeliveryState.SENDING.value,
        "attempts": 1,
        "lease_token": uuid.uuid4(),
        "lease_until": deadline,
        "ack_deadline": deadline,
        "ring_at": deadline,
    }


def _result(
    item: Acceptance,
    stored: dict[Key, tuple[bytes, Stored]],
    known: dict[Key, tuple[bytes, Stored]],
) -> Stored:
    """Return the result for one item; of several equal ids in a batch, the first is the accepted one."""
    key = _key(item)
    digest, truth = known.get(key) or stored[key]
    if digest != item.envelope.digest:
        return replace(truth, kind=StoredAs.CONFLICT)
    if key in stored:
        stored[key] = (digest, replace(truth, kind=StoredAs.DUPLICATE, delivery_id=""))
    return truth
