"""Frames to open pages: what was accepted, after its commit, and what is never stored."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from notifications import knobs, store
from notifications.events import Effects, Envelope, Planned, Ring
from notifications.live import pubsub
from notifications.live.frames import event_frame
from notifications.states import Channel, EventState, StoredAs
from notifications.store import Stored, Success
from runtime.failpoints import failpoint

PlannedEvent = Planned[Envelope]


def push_informational(batch: Sequence[PlannedEvent]) -> list[int]:
    """Push events that are never stored. Return how many gateway processes took each one."""
    live_ones = [item for item in batch if item.plan.steps]
    taken = pubsub.push([(item.recipient.id, _frame(item)) for item in live_ones])
    counts = {id(item): count for item, count in zip(live_ones, taken, strict=True)}
    return [counts.get(id(item), 0) for item in batch]


def push_accepted(batch: Sequence[tuple[PlannedEvent, Stored]], now: datetime) -> Effects:
    """Push what was just accepted to whoever is online. Return what is due elsewhere.

    Every stored event goes to the person's open pages, so that they see one sequence; `ack_by` stands
    only in those whose first step is the page.
    """
    accepted = [(item, answer) for item, answer in batch if answer.kind is StoredAs.ACCEPTED]
    # Who came online since the routing may have read their `seq` before this commit: they miss it without us.
    offline = {item.recipient.id for item, _ in accepted if not item.online}
    effects = _push(accepted, pubsub.online(offline), now)
    effects.rings += [
        Ring(answer.delivery_id, item.request.priority)
        for item, answer in accepted
        if answer.delivery_id and not _is_web(item)
    ]
    ended = [(item, answer) for item, answer in accepted if answer.state is not EventState.ACCEPTED]
    effects.finals += [answer.event_pk for _, answer in ended]
    effects.replies |= any(item.request.reply_to for item, _ in ended)
    return effects


def _is_web(item: PlannedEvent) -> bool:
    return bool(item.plan.steps) and item.plan.steps[0].channel is Channel.WEB


def _push(accepted: Sequence[tuple[PlannedEvent, Stored]], came: frozenset[int], now: datetime) -> Effects:
    seen = [(item, answer) for item, answer in accepted if item.online or item.recipient.id in came]
    if not seen:
        return Effects()
    deadlines = [_deadline(item, now) if _is_web(item) else None for item, _ in seen]
    frames = [
        (item.recipient.id, _frame(item, answer.seq, deadline))
        for (item, answer), deadline in zip(seen, deadlines, strict=True)
    ]
    receivers = pubsub.push(frames)
    failpoint("pushed_before_record")
    ended_at = timezone.now()
    taken = [
        (Success(answer.delivery_id, answer.token, now, ended_at), deadline)
        for (_, answer), deadline, count in zip(seen, deadlines, receivers, strict=True)
        if deadline is not None and count
    ]
    if taken:
        store.record_pushed([success for success, _ in taken], [deadline for _, deadline in taken])
    gone = [
        answer.delivery_id
        for (_, answer), deadline, count in zip(seen, deadlines, receivers, strict=True)
        if deadline is not None and not count
    ]
    # Empty, unless a page was closed between the look and the push.
    return store.skip_unpushed(gone, now=ended_at)


def _deadline(item: PlannedEvent, now: datetime) -> datetime:
    return now + timedelta(milliseconds=item.request.ack_timeout_ms or knobs.current().ack_timeout_ms)


def _frame(item: PlannedEvent, seq: int = 0, ack_by: datetime | None = None) -> bytes:
    envelope = item.request
    return event_frame(
        event_id=envelope.event_id,
        event_type=envelope.event_type,
        priority=envelope.priority,
        timestamp_ms=envelope.timestamp_ms,
        payload=envelope.payload,
        time_zone=item.recipient.time_zone,
        seq=seq,
        ack_by=ack_by,
        topic=envelope.topic,
    )
