"""Pushing events to open pages: INFORMATIONAL ones, and stored ones right after their commit."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from notifications import store
from notifications.effects import Effects, Ring
from notifications.events import Envelope, Planned
from notifications.live import pubsub
from notifications.live.frames import Sayings, worded_frame
from notifications.settings import pipeline_settings
from notifications.states import Channel, EventState, StoredAs
from notifications.store import Stored, Success
from runtime.failpoints import failpoint
from runtime.postgres import clock

PlannedEvent = Planned[Envelope]


def push_informational(batch: Sequence[PlannedEvent]) -> list[int]:
    """Push events that are never stored. Return how many gateway processes received each one."""
    routed = [item for item in batch if item.plan.steps]
    sayings = Sayings()
    receivers = pubsub.push([(item.recipient.id, _frame(item, sayings)[0]) for item in routed])
    counts = {id(item): count for item, count in zip(routed, receivers, strict=True)}
    return [counts.get(id(item), 0) for item in batch]


def push_accepted(batch: Sequence[tuple[PlannedEvent, Stored]], now: datetime) -> Effects:
    """Push newly accepted events to recipients who are online. Return the effects on other channels.

    Every stored event is pushed, whatever its channel, so that all pages of a recipient show one complete
    sequence, but for what a newer event has superseded at once. Only the frame of an event whose first step
    is WEB has an `ack_by`.
    """
    new = [(item, answer) for item, answer in batch if answer.kind is StoredAs.ACCEPTED]
    accepted = [(item, answer) for item, answer in new if answer.state is not EventState.SUPERSEDED]
    # Ask again about recipients who were offline at the routing: a page opened since then may have read its
    # position before this commit, and would miss the event.
    offline = {item.recipient.id for item, _ in accepted if not item.online}
    effects = _push(accepted, pubsub.online(offline), now)
    effects.rings += [
        Ring(answer.delivery_id, item.request.priority)
        for item, answer in accepted
        if answer.delivery_id
        and not _is_web(item)
        and item.plan.steps[0].hold_until is None
        and not answer.waits
    ]
    for _, answer in batch:
        if answer.effects is not None:
            effects.add(answer.effects)
    ended = [(item, answer) for item, answer in new if answer.state is not EventState.ACCEPTED]
    effects.finals += [answer.event_pk for _, answer in ended]
    effects.replies |= any(item.request.reply_to for item, _ in ended)
    return effects


def _is_web(item: PlannedEvent) -> bool:
    return bool(item.plan.steps) and item.plan.steps[0].channel is Channel.WEB


def _push(
    accepted: Sequence[tuple[PlannedEvent, Stored]], came_online: frozenset[int], now: datetime
) -> Effects:
    online = [(item, answer) for item, answer in accepted if item.online or item.recipient.id in came_online]
    if not online:
        return Effects()
    deadlines = [_deadline(item, now) if _is_web(item) else None for item, _ in online]
    sayings = Sayings()
    frames = [
        _frame(item, sayings, answer.seq, deadline)
        for (item, answer), deadline in zip(online, deadlines, strict=True)
    ]
    receivers = pubsub.push(
        [(item.recipient.id, frame) for (item, _), (frame, _) in zip(online, frames, strict=True)]
    )
    failpoint("pushed_before_record")
    ended_at = clock.now()
    pushed = [
        (Success(answer.delivery_id, answer.token, now, ended_at, "", version), deadline)
        for (_, answer), (_, version), deadline, count in zip(
            online, frames, deadlines, receivers, strict=True
        )
        if deadline is not None and count
    ]
    if pushed:
        store.record_pushed([success for success, _ in pushed], [deadline for _, deadline in pushed])
    unpushed = [
        answer.delivery_id
        for (_, answer), deadline, count in zip(online, deadlines, receivers, strict=True)
        if deadline is not None and not count
    ]
    # Empty, unless a page was closed between the look-up and the push.
    return store.skip_unpushed(unpushed, now=ended_at)


def _deadline(item: PlannedEvent, now: datetime) -> datetime:
    return now + timedelta(milliseconds=item.request.ack_timeout_ms or pipeline_settings().ack_timeout_ms)


def _frame(
    item: PlannedEvent, sayings: Sayings, seq: int = 0, ack_by: datetime | None = None
) -> tuple[bytes, int | None]:
    content, plan = item.request.content(item.recipient.time_zone, item.recipient.locale, seq), item.plan
    if plan.silent or plan.pierces:
        content = content._replace(silent=plan.silent, pierces=plan.pierces)
    return worded_frame(content, ack_by=ack_by, say=sayings.say)
