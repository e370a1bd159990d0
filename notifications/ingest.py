"""The one call of every ingress: takes a batch of envelopes, returns one ack for each."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from notifications import dispatch, simulation, store
from notifications.acks import skipped, stored_acks
from notifications.effects import Effects
from notifications.events import Ack, ChannelOutcome, Envelope, rejected_ack
from notifications.live.push import PlannedEvent, push_accepted, push_informational
from notifications.operations import overload, quotas
from notifications.rendering import published
from notifications.rendering.own_words import may_have_words
from notifications.rendering.render import link_remark
from notifications.routing.plan import plan_for
from notifications.states import AckStatus, DeliveryState, EndCode, Evidence, Priority, StoredAs
from notifications.topics import broadcast, subscriptions
from runtime.failpoints import failpoint
from users.people import rights
from users.people.introduce import introduce
from users.people.values import Author, Change, Mode
from users.people.write import must_not_vouch

log = logging.getLogger(__name__)

_FUTURE_SKEW_S = 300  # how far a producer's clock may run ahead


def ingest(batch: Sequence[Envelope], *, now: datetime) -> list[Ack]:
    """Accept or reject a batch of events. Return one ack for each, in order.

    Guarantee: an ack QUEUED, or a final one of a stored event, is returned only after the commit.
    INFORMATIONAL events are sent to live sessions at most once and never stored. Raises: database
    errors; part of the batch may be stored, and all of it can be sent again under the same ids.
    """
    tests = [index for index, one in enumerate(batch) if one.source.test]
    if tests:
        return _apart(batch, frozenset(tests), now)
    above_quota = quotas.take(batch, now=now)
    try:
        acks = _ingest(batch, above_quota, now)
    except Exception:
        quotas.give_back(batch, above_quota, now=now)
        raise
    quotas.settle(batch, acks, above_quota, now=now)
    return acks


def _apart(batch: Sequence[Envelope], tests: frozenset[int], now: datetime) -> list[Ack]:
    """Accept a batch that has events of test keys, which are simulated."""
    live = [one for index, one in enumerate(batch) if index not in tests]
    acks = iter(ingest(live, now=now) if live else [])
    simulated = iter(_simulate([one for index, one in enumerate(batch) if index in tests], now))
    return [next(simulated if index in tests else acks) for index in range(len(batch))]


def _simulate(batch: Sequence[Envelope], now: datetime) -> list[Ack]:
    """Decide everything as for live events, and send and store nothing beside them."""
    acks = _rejected(batch, now)
    plans = plan_for(batch, now=now, counted=False)
    published.refresh()
    for index, (envelope, planned) in enumerate(zip(batch, plans, strict=True)):
        rejected = _reject_unknown(envelope, planned is not None, set(), now)
        if index not in acks and rejected is not None:
            acks[index] = rejected
    rest = [index for index in range(len(batch)) if index not in acks]
    given = [simulation.Simulated(batch[index], plans[index]) for index in rest]
    acks.update(zip(rest, simulation.simulate(given, now=now), strict=True))
    return [acks[index] for index in range(len(batch))]


def _ingest(batch: Sequence[Envelope], above_quota: Mapping[int, Ack], now: datetime) -> list[Ack]:
    refused = overload.refused_priorities()
    acks = {**above_quota, **_rejected(batch, now)}
    _introduce([one for index, one in enumerate(batch) if index not in acks], refused, now)
    ids_of_topics = _taken_by_topics(batch)
    to_topics: list[tuple[int, Envelope]] = []
    to_store: list[tuple[int, PlannedEvent]] = []
    live_only: list[tuple[int, PlannedEvent]] = []
    plans = plan_for(batch, now=now)
    published.refresh()
    for index, (envelope, planned) in enumerate(zip(batch, plans, strict=True)):
        if index in acks:
            continue
        rejected = _reject_unknown(envelope, planned is not None, ids_of_topics, now)
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
    return [_with_remark(acks[index], envelope) for index, envelope in enumerate(batch)]


def _with_remark(ack: Ack, envelope: Envelope) -> Ack:
    """Say in an ack which links of the event are shown as text: it is delivered all the same."""
    if ack.detail or not may_have_words(envelope):
        return ack
    return replace(ack, detail=link_remark(envelope.content("UTC", "en")))


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


def _introduce(batch: Sequence[Envelope], refused: Collection[Priority], now: datetime) -> None:
    """Create or complete the people whom events bring, before anything is routed."""
    changes = []
    for one in batch:
        if one.recipient is not None and one.source.may_create_people and one.priority not in refused:
            author = Author(one.source.name, one.source.id, one.source.may_vouch, one.source.people)
            changes.append(Change(one.user_id, one.recipient, Mode.FILL, author))
    introduce(changes, now=now)


def _rejected(batch: Sequence[Envelope], now: datetime) -> dict[int, Ack]:
    """Return the acks of the events that must be rejected before anything is known of their recipients."""
    outside = rights.forbidden((one.source.people, one.user_id) for one in batch if not one.topic)
    found = {}
    for index, envelope in enumerate(batch):
        is_outside = bool(outside) and (envelope.source.people, envelope.user_id) in outside
        rejected = _reject(envelope, is_outside, now)
        if rejected is not None:
            found[index] = rejected
    return found


def _reject(envelope: Envelope, is_outside: bool, now: datetime) -> Ack | None:
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
    if is_outside:
        outside = rights.not_allowed(grant.people)
        return reject("forbidden_user", outside.detail, outside.field)
    if envelope.recipient is not None and envelope.recipient.vouches and not grant.may_vouch:
        unvouched = must_not_vouch("recipient.addresses")
        return reject("forbidden_verified", unvouched.detail, unvouched.field)
    now_ms = now.timestamp() * 1000
    if envelope.timestamp_ms > now_ms + _FUTURE_SKEW_S * 1000:
        return reject("timestamp_in_future", "More than 5 minutes ahead; check the clock.", "timestamp")
    if envelope.expires_at_ms and envelope.expires_at_ms <= now_ms:
        return reject("expired", "expires_at has passed; nothing was sent.", "expires_at")
    return None


def _reject_unknown(
    envelope: Envelope, is_known: bool, ids_of_topics: set[tuple[int, str]], now: datetime
) -> Ack | None:
    """Return the ack of an event that must be rejected because of its recipient; otherwise None."""

    def reject(code: str, detail: str, field: str) -> Ack:
        return rejected_ack(envelope.event_id, code, detail, now, field=field)

    if envelope.topic:
        return None
    if not is_known:
        return reject("unknown_user", _how_to_create(envelope), "user_id")
    if envelope.recipient is not None and not envelope.source.may_create_people:
        detail = "Leave out recipient, or ask the operator to let this source create people."
        return reject("forbidden_recipient", detail, "recipient")
    if (envelope.source.id, envelope.event_id) in ids_of_topics:
        return reject(
            "conflict", "This event_id was used for an event to a topic; nothing was sent.", "event_id"
        )
    return None


def _how_to_create(envelope: Envelope) -> str:
    """Return what the producer of an event to somebody unknown can do."""
    put = "No active person has this user_id: create them with PUT /api/v1/users/{id}"
    if not envelope.source.may_create_people:
        return f"{put}, or send recipient once the operator lets this source create people."
    return f"{put}, or send recipient with the event." if envelope.recipient is None else f"{put}."


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
                event_id,
                AckStatus.DELIVERED,
                True,
                now,
                delivered_via=web,
                evidence=Evidence.TRANSPORT,
                outcomes=(ChannelOutcome(web, DeliveryState.SENT), *skipped(item.plan)),
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
