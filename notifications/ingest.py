"""The one call of every ingress: takes a batch of envelopes, returns one ack for each."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from notifications import dispatch, store
from notifications.acks import skipped, stored_acks
from notifications.events import Ack, Effects, Envelope, rejected_ack
from notifications.live.push import PlannedEvent, push_accepted, push_informational
from notifications.operations import overload
from notifications.rendering import published
from notifications.routing.plan import plan_for
from notifications.settings import PipelineSettings, pipeline_settings
from notifications.states import AckStatus, EndCode, Evidence, Priority, StoredAs
from notifications.topics import broadcast, subscriptions
from runtime.failpoints import failpoint

log = logging.getLogger(__name__)

_FUTURE_SKEW_S = 300  # how far a producer's clock may run ahead


def ingest(batch: Sequence[Envelope], *, now: datetime) -> list[Ack]:
    """Accept or reject a batch of events. Return one ack for each, in order.

    Guarantee: an ack QUEUED, or a final one of a stored event, is returned only after the commit.
    INFORMATIONAL events are sent to live sessions at most once and never stored. Raises: database
    errors; part of the batch may be stored, and all of it can be sent again under the same ids.
    """
    settings = pipeline_settings()
    refused = overload.refused_priorities()
    acks: dict[int, Ack] = {}
    ids_of_topics = _taken_by_topics(batch)
    to_topics: list[tuple[int, Envelope]] = []
    to_store: list[tuple[int, PlannedEvent]] = []
    live_only: list[tuple[int, PlannedEvent]] = []
    plans = plan_for(batch, now=now)
    published.refresh()
    for index, (envelope, planned) in enumerate(zip(batch, plans, strict=True)):
        rejected = _reject(envelope, planned is not None, ids_of_topics, now, settings)
        if rejected is not None:
            acks[index] = rejected
        elif envelope.priority in refused:
            acks[index] = overload.refusal(envelope, now)
        elif planned is None:
            to_topics.append((index, envelope))
        else:
            lane = live_only if envelope.priority is Priority.INFORMATIONAL else to_store
            lane.append((index, planned))
    # Store first, because it can fail: the producer's next try would push INFORMATIONAL events again.
    effects = Effects()
    try:
        acks.update(_store(to_store, effects, now))
        acks.update(_store_for_topics(to_topics, effects, now))
    finally:
        dispatch.run_effects_later(effects)
    acks.update(_push_only(live_only, now))
    acks.update(_push_only_to_topics(to_topics, now))
    return [acks[index] for index in range(len(batch))]


def _taken_by_topics(batch: Sequence[Envelope]) -> set[tuple[int, str]]:
    """Return the (source, id) keys of INFORMATIONAL events that an event to a topic has used already."""
    keys = [
        (envelope.source.id, envelope.event_id)
        for envelope in batch
        if envelope.source.topic_prefixes
        and not envelope.topic
        and envelope.priority is Priority.INFORMATIONAL
    ]
    return store.taken_by_topics(keys) if keys else set()


def _reject(
    envelope: Envelope,
    is_known: bool,
    ids_of_topics: set[tuple[int, str]],
    now: datetime,
    settings: PipelineSettings,
) -> Ack | None:
    """Return the ack of an event that must be rejected, with a code, field and advice; otherwise None."""

    def reject(code: str, detail: str, field: str) -> Ack:
        return rejected_ack(envelope.event_id, code, detail, now, field=field)

    grant = envelope.source
    if grant.event_types and envelope.event_type not in grant.event_types:
        return reject(
            "forbidden_type", f"Source {grant.name} is not allowed to send this event type.", "event_type"
        )
    if envelope.priority > grant.max_priority:
        return reject("forbidden_priority", f"At most {grant.max_priority.name}.", "delivery.priority")
    if envelope.topic and (rejected := _reject_topic(envelope, now)) is not None:
        return rejected
    if not envelope.topic and not is_known:
        return reject("unknown_user", "No user has this user_id; create the user first.", "user_id")
    if (grant.id, envelope.event_id) in ids_of_topics and not envelope.topic:
        return reject(
            "conflict", "This event_id was used for an event to a topic; nothing was sent.", "event_id"
        )
    now_ms = now.timestamp() * 1000
    if envelope.timestamp_ms > now_ms + _FUTURE_SKEW_S * 1000:
        return reject("timestamp_in_future", "More than 5 minutes ahead; check the clock.", "timestamp")
    if envelope.expires_at_ms and envelope.expires_at_ms <= now_ms:
        return reject("expired", "expires_at has passed; nothing was sent.", "expires_at")
    return None


def _reject_topic(envelope: Envelope, now: datetime) -> Ack | None:
    def reject(code: str, detail: str) -> Ack:
        return rejected_ack(envelope.event_id, code, detail, now, field="topic")

    if not subscriptions.is_topic(envelope.topic):
        return reject("invalid_topic", "Letters, digits and . _ : - only, at most 128.")
    if not broadcast.may_publish(envelope):
        return reject(
            "forbidden_topic", f"Source {envelope.source.name} is not allowed to publish to this topic."
        )
    return None


def _push_only(batch: list[tuple[int, PlannedEvent]], now: datetime) -> dict[int, Ack]:
    """Push INFORMATIONAL events. The ack says whether a live session received it."""
    receivers = push_informational([item for _, item in batch])
    acks = {}
    for (index, item), count in zip(batch, receivers, strict=True):
        event_id = item.request.event_id
        if count:
            web = item.plan.steps[0].channel
            acks[index] = Ack(
                event_id, AckStatus.DELIVERED, True, now, delivered_via=web, evidence=Evidence.TRANSPORT
            )
        else:
            detail = "The user has no live session; INFORMATIONAL events are not stored."
            nobody = rejected_ack(event_id, EndCode.NO_SESSION, detail, now)
            acks[index] = replace(nobody, outcomes=skipped(item.plan))
    return acks


def _store(batch: list[tuple[int, PlannedEvent]], effects: Effects, now: datetime) -> dict[int, Ack]:
    """Store and commit; only then push to open pages. Effects on other channels are added to `effects`."""
    if not batch:
        return {}
    planned = [item for _, item in batch]
    answers = store.accept([store.acceptance(item, now=now) for item in planned], now=now)
    failpoint("accept_after_commit")
    pairs = list(zip(planned, answers, strict=True))
    new = [item.request.event_id for item, answer in pairs if answer.kind is StoredAs.ACCEPTED]
    log.info("accepted", extra={"event_ids": new})
    effects.add(push_accepted(pairs, now))
    return dict(zip([index for index, _ in batch], stored_acks(pairs, now=now), strict=True))


def _store_for_topics(batch: list[tuple[int, Envelope]], effects: Effects, now: datetime) -> dict[int, Ack]:
    stored = [(index, item) for index, item in batch if item.priority is not Priority.INFORMATIONAL]
    acks, topic_effects = broadcast.accept([item for _, item in stored], now=now)
    effects.add(topic_effects)
    return dict(zip([index for index, _ in stored], acks, strict=True))


def _push_only_to_topics(batch: list[tuple[int, Envelope]], now: datetime) -> dict[int, Ack]:
    live_only = [(index, item) for index, item in batch if item.priority is Priority.INFORMATIONAL]
    acks = broadcast.push_live([item for _, item in live_only], now=now)
    return dict(zip([index for index, _ in live_only], acks, strict=True))
