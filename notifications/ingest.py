"""One call for every ingress: a batch of envelopes in, one ack for each out."""

import logging
from collections.abc import Sequence
from datetime import datetime

from notifications import dispatch, knobs, store
from notifications.acks import stored_ack
from notifications.events import Ack, Envelope, refusal
from notifications.live import pubsub
from notifications.routing import recipients
from notifications.routing.plan import acceptance, routed
from notifications.routing.route import Person
from notifications.states import Evidence, Priority
from notifications.topics import broadcast, subscriptions
from runtime import failpoints

log = logging.getLogger(__name__)


def ingest(batch: Sequence[Envelope], *, now: datetime) -> list[Ack]:
    """Take in a batch and return one ack for each event, in order.

    Guarantee: an ack QUEUED, or a final one of a stored event, is returned only after the commit.
    INFORMATIONAL events are sent to live sessions at most once and never stored. Raises: database
    errors, and then nothing of the batch was accepted, or it may be sent again under the same ids.
    """
    settings = knobs.current()
    acks: dict[int, Ack] = {}
    taken = _taken_by_topics(batch)
    to_topics: list[tuple[int, Envelope]] = []
    persons = recipients.load(
        (envelope.user_id for envelope in batch if envelope.user_id),
        now=now,
        active_s=settings.telegram_active_s,
    )
    online = pubsub.online(person.id for person in persons.values())
    stored: list[tuple[int, dispatch.Routed]] = []
    informational: list[tuple[int, dispatch.Routed]] = []
    for index, envelope in enumerate(batch):
        refused = _refuse(envelope, persons, taken, now, settings)
        if refused is not None:
            acks[index] = refused
        elif envelope.topic:
            to_topics.append((index, envelope))
        else:
            person = persons[envelope.user_id]
            lane = informational if envelope.priority is Priority.INFORMATIONAL else stored
            lane.append((index, routed(envelope, person, online=person.id in online)))
    # First what may fail: an informational event would go out again with the batch's next try.
    acks.update(_keep(stored, online, now))
    acks.update(_keep_topics(to_topics, now))
    acks.update(_live_only(informational, now))
    acks.update(_live_only_topics(to_topics, now))
    return [acks[index] for index in range(len(batch))]


def _taken_by_topics(batch: Sequence[Envelope]) -> set[tuple[int, str]]:
    """Return which ids of events that are never stored stand for an event to a topic already."""
    keys = [
        (envelope.source.id, envelope.event_id)
        for envelope in batch
        if envelope.source.topic_prefixes
        and not envelope.topic
        and envelope.priority is Priority.INFORMATIONAL
    ]
    return store.taken_by_topics(keys) if keys else set()


def _refuse(
    envelope: Envelope,
    persons: dict[str, Person],
    taken: set[tuple[int, str]],
    now: datetime,
    settings: knobs.Knobs,
) -> Ack | None:
    """Return the ack of an event that may not come in, with a code, a field and what to do; else None."""

    def no(code: str, detail: str, field: str) -> Ack:
        return refusal(envelope.event_id, code, detail, now, field=field)

    grant = envelope.source
    if grant.event_types and envelope.event_type not in grant.event_types:
        return no("forbidden_type", f"Source {grant.name} may not send this event type.", "event_type")
    if envelope.priority > grant.max_priority:
        return no("forbidden_priority", f"At most {grant.max_priority.name}.", "delivery.priority")
    unknown = _refuse_topic(envelope, now) if envelope.topic else None
    if unknown is not None:
        return unknown
    if not envelope.topic and envelope.user_id not in persons:
        return no("unknown_user", "Nobody has this user_id; create the person first.", "user_id")
    if (grant.id, envelope.event_id) in taken and not envelope.topic:
        return no("conflict", "This event_id was used for an event to a topic; nothing was sent.", "event_id")
    now_ms = now.timestamp() * 1000
    if envelope.timestamp_ms > now_ms + settings.future_skew_s * 1000:
        return no("timestamp_in_future", "More than 5 minutes ahead; check the clock.", "timestamp")
    if envelope.expires_at_ms and envelope.expires_at_ms <= now_ms:
        return no("expired", "expires_at has passed; nothing was sent.", "expires_at")
    return None


def _refuse_topic(envelope: Envelope, now: datetime) -> Ack | None:
    def no(code: str, detail: str) -> Ack:
        return refusal(envelope.event_id, code, detail, now, field="topic")

    if not subscriptions.is_topic(envelope.topic):
        return no("invalid_topic", "Letters, digits and . _ : - only, at most 128.")
    if not broadcast.may_publish(envelope):
        return no("forbidden_topic", f"Source {envelope.source.name} may not publish to this topic.")
    return None


def _live_only(routed: list[tuple[int, dispatch.Routed]], now: datetime) -> dict[int, Ack]:
    """Push what is never stored, and tell the producer whether a live session took it."""
    taken = dispatch.push_informational([item for _, item in routed])
    acks = {}
    for (index, item), receivers in zip(routed, taken, strict=True):
        event_id = item.envelope.event_id
        if receivers:
            web = item.plan.steps[0].channel
            acks[index] = Ack(
                event_id, "DELIVERED", True, now, delivered_via=web, evidence=Evidence.TRANSPORT
            )
        else:
            detail = "No live session took it; INFORMATIONAL events are not kept."
            acks[index] = refusal(event_id, "no_session", detail, now)
    return acks


def _keep(
    routed: list[tuple[int, dispatch.Routed]],
    online: frozenset[int],
    now: datetime,
) -> dict[int, Ack]:
    """Store, commit, and only then dispatch."""
    if not routed:
        return {}
    batch = [acceptance(item, now=now) for _, item in routed]
    answers = store.accept(batch, now=now)
    failpoints.passing("accept_after_commit")
    pairs = [(item, answer) for (_, item), answer in zip(routed, answers, strict=True)]
    new = [item.envelope.event_id for item, answer in pairs if answer.kind == "accepted"]
    log.info("accepted", extra={"event_ids": new})
    dispatch.dispatch(pairs, online, now)
    return {
        index: stored_ack(item.envelope.event_id, answer, now)
        for (index, item), answer in zip(routed, answers, strict=True)
    }


def _keep_topics(batch: list[tuple[int, Envelope]], now: datetime) -> dict[int, Ack]:
    stored = [(index, item) for index, item in batch if item.priority is not Priority.INFORMATIONAL]
    acks, aftermath = broadcast.keep([item for _, item in stored], now=now)
    dispatch.follow_later(aftermath)
    return dict(zip([index for index, _ in stored], acks, strict=True))


def _live_only_topics(batch: list[tuple[int, Envelope]], now: datetime) -> dict[int, Ack]:
    live_ones = [(index, item) for index, item in batch if item.priority is Priority.INFORMATIONAL]
    acks = broadcast.push_live([item for _, item in live_ones], now=now)
    return dict(zip([index for index, _ in live_ones], acks, strict=True))
