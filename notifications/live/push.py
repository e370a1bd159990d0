"""Frames to open pages: what was accepted, after its commit, and what is never stored."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from notifications import knobs, store
from notifications.events import Aftermath, Ring
from notifications.live import pubsub
from notifications.live.frames import event_frame
from notifications.routing.plan import Routed
from notifications.states import Channel, EventState
from notifications.store import Stored, Success
from runtime import failpoints


def push_informational(batch: Sequence[Routed]) -> list[int]:
    """Push events that are never stored. Return how many gateway processes took each one."""
    live_ones = [item for item in batch if item.plan.steps]
    taken = pubsub.push([(item.person.id, _frame(item)) for item in live_ones])
    counts = {id(item): count for item, count in zip(live_ones, taken, strict=True)}
    return [counts.get(id(item), 0) for item in batch]


def push_accepted(batch: Sequence[tuple[Routed, Stored]], online: frozenset[int], now: datetime) -> Aftermath:
    """Push what was just accepted to whoever is online. Return what is due elsewhere.

    Every stored event goes to the person's open pages, so that they see one sequence; `ack_by` stands
    only in those whose first step is the page.
    """
    accepted = [(item, answer) for item, answer in batch if answer.kind == "accepted"]
    # Who came online since the routing may have read their `seq` before this commit: they miss it without us.
    came = pubsub.online({item.person.id for item, _ in accepted} - online)
    aftermath = _push(accepted, online | came, now)
    aftermath.rings += [
        Ring(answer.delivery_id, item.envelope.priority)
        for item, answer in accepted
        if answer.delivery_id and not _is_web(item)
    ]
    ended = [(item, answer) for item, answer in accepted if answer.state is not EventState.ACCEPTED]
    aftermath.finals += [answer.event_pk for _, answer in ended]
    aftermath.replies |= any(item.envelope.reply_to for item, _ in ended)
    return aftermath


def _is_web(item: Routed) -> bool:
    return bool(item.plan.steps) and item.plan.steps[0].channel is Channel.WEB


def _push(accepted: Sequence[tuple[Routed, Stored]], online: frozenset[int], now: datetime) -> Aftermath:
    seen = [(item, answer) for item, answer in accepted if item.person.id in online]
    if not seen:
        return Aftermath()
    deadlines = [_deadline(item, now) if _is_web(item) else None for item, _ in seen]
    frames = [
        (item.person.id, _frame(item, answer.seq, deadline))
        for (item, answer), deadline in zip(seen, deadlines, strict=True)
    ]
    receivers = pubsub.push(frames)
    failpoints.passing("pushed_before_record")
    ended_at = timezone.now()
    taken = [
        (Success(answer.delivery_id, answer.token, now, ended_at), deadline)
        for (_, answer), deadline, count in zip(seen, deadlines, receivers, strict=True)
        if deadline is not None and count
    ]
    if taken:
        store.pushed([success for success, _ in taken], [deadline for _, deadline in taken])
    gone = [
        answer.delivery_id
        for (_, answer), deadline, count in zip(seen, deadlines, receivers, strict=True)
        if deadline is not None and not count
    ]
    # Empty, unless a page was closed between the look and the push.
    return store.skip_unpushed(gone, now=ended_at)


def _deadline(item: Routed, now: datetime) -> datetime:
    return now + timedelta(milliseconds=item.envelope.ack_timeout_ms or knobs.current().ack_timeout_ms)


def _frame(item: Routed, seq: int = 0, ack_by: datetime | None = None) -> bytes:
    envelope = item.envelope
    return event_frame(
        event_id=envelope.event_id,
        event_type=envelope.event_type,
        priority=envelope.priority,
        timestamp_ms=envelope.timestamp_ms,
        payload=envelope.payload,
        time_zone=item.person.time_zone,
        seq=seq,
        ack_by=ack_by,
        topic=envelope.topic,
    )
