"""Accepting events to topics: INFORMATIONAL ones are pushed at once, the others stored and fanned out."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from notifications import store
from notifications.effects import Effects, FanOut
from notifications.events import Ack, ChannelOutcome, Envelope, rejected_ack
from notifications.live import pubsub
from notifications.live.frames import event_frame
from notifications.models import Broadcast
from notifications.rendering.locales import languages
from notifications.states import (
    AckStatus,
    Channel,
    DeliveryState,
    EndCode,
    EventState,
    Evidence,
    Priority,
    SkipReason,
    StoredAs,
)
from notifications.topics import subscriptions
from notifications.topics.acks import ack_of_answer
from notifications.topics.fan_out import content_of
from runtime.failpoints import failpoint


def may_publish(envelope: Envelope) -> bool:
    return envelope.topic.startswith(envelope.source.topic_prefixes)


def push_live(batch: Sequence[Envelope], *, now: datetime) -> list[Ack]:
    """Push INFORMATIONAL events to their topics, at most once. Return how many processes took each.

    Each is rendered once for every language that is listened to now, not for every follower. A process may
    have followers of several languages: the number is that of the language with the most.
    """
    wanted = [(envelope, language) for envelope in batch for language in sorted(languages())]
    channels = [pubsub.topic_channel(envelope.topic, language) for envelope, language in wanted]
    heard = [
        (envelope, channel, _frame(envelope, language))
        for (envelope, language), channel, is_heard in zip(
            wanted, channels, pubsub.heard(channels), strict=True
        )
        if is_heard
    ]
    taken: dict[int, int] = defaultdict(int)
    counts = pubsub.publish([(channel, frame) for _, channel, frame in heard])
    for (envelope, _, _), count in zip(heard, counts, strict=True):
        taken[id(envelope)] = max(taken[id(envelope)], count)
    return [_live_ack(envelope, taken[id(envelope)], now) for envelope in batch]


def _live_ack(envelope: Envelope, processes: int, now: datetime) -> Ack:
    if not processes:
        detail = "No live session follows this topic; INFORMATIONAL events are not kept."
        nobody = rejected_ack(envelope.event_id, EndCode.NO_SESSION, detail, now)
        unheard = ChannelOutcome(Channel.WEB, DeliveryState.SKIPPED, SkipReason.NO_SESSION)
        return replace(nobody, outcomes=(unheard,))
    return Ack(
        envelope.event_id,
        AckStatus.DELIVERED,
        True,
        now,
        counts={"processes": processes},
        delivered_via=Channel.WEB,
        evidence=Evidence.TRANSPORT,
        outcomes=(ChannelOutcome(Channel.WEB, DeliveryState.SENT),),
    )


def _frame(envelope: Envelope, language: str) -> bytes:
    """Return the frame that all subscribers of one language share: its times are in UTC."""
    return event_frame(envelope.content("UTC", language))


def accept(batch: Sequence[Envelope], *, now: datetime) -> tuple[list[Ack], Effects]:
    """Store events to topics and commit. Return one ack for each, in order, and the effects.

    Guarantee: a QUEUED ack is returned only after the commit, and everyone who followed the topic at that
    time gets exactly one event, even after a crash.
    """
    if not batch:
        return [], Effects()
    followed = {topic: _is_followed(topic, now) for topic in {envelope.topic for envelope in batch}}
    rows = [
        _row(envelope, followed[envelope.topic], now + timedelta(microseconds=place))  # their order
        for place, envelope in enumerate(batch)
    ]
    kept = store.broadcasts.accept(rows)
    failpoint("broadcast_after_commit")
    new = [item.row for item in kept if item.kind is StoredAs.ACCEPTED and item.row is not None]
    effects = Effects(
        fan_outs=[FanOut(str(row.pk), Priority(row.priority)) for row in new if row.ring_at],
        broadcasts=[str(row.pk) for row in new if not row.ring_at],
    )
    acks = [ack_of_answer(envelope.event_id, item, now) for envelope, item in zip(batch, kept, strict=True)]
    return acks, effects


def _is_followed(topic: str, now: datetime) -> bool:
    return bool(subscriptions.audience(topic, before=now, limit=1))


def _row(envelope: Envelope, followed: bool, now: datetime) -> Broadcast:
    return Broadcast(
        id=uuid.uuid4(),
        source_id=envelope.source.id,
        event_id=envelope.event_id,
        topic=envelope.topic,
        event_type=envelope.event_type,
        priority=envelope.priority,
        accepted_at=now,
        expires_at=store.expires_at(envelope, now=now),
        content=content_of(envelope),
        raw=envelope.raw,
        digest=envelope.digest,
        state=EventState.ACCEPTED if followed else EventState.FAILED,
        code="" if followed else EndCode.NO_SUBSCRIBERS,
        # The doorbell is rung at once; the sweep visits the row a little later.
        ring_at=store.broadcasts.fallback_ring_at(now) if followed else None,
        told_at=None if followed else now,
        final_at=None if followed else now,
        reply_to=envelope.reply_to,
    )
