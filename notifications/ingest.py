"""One call for every ingress: a batch of envelopes in, one ack for each out."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from notifications import crash_points, dispatch, knobs, live, people, store
from notifications.acks import stored_ack
from notifications.events import Ack, Envelope, refusal
from notifications.route import Person, Plan, route
from notifications.states import Evidence, Priority
from notifications.transports.registry import supported

log = logging.getLogger(__name__)


def ingest(batch: Sequence[Envelope], *, now: datetime) -> list[Ack]:
    """Take in a batch and return one ack for each event, in order.

    Guarantee: an ack QUEUED, or a final one of a stored event, is returned only after the commit.
    INFORMATIONAL events are sent to live sessions at most once and never stored. Raises: database
    errors, and then nothing of the batch was accepted, or it may be sent again under the same ids.
    """
    settings = knobs.current()
    acks: dict[int, Ack] = {}
    persons = people.load(
        (envelope.user_id for envelope in batch), now=now, active_s=settings.telegram_active_s
    )
    online = live.online(person.id for person in persons.values())
    stored: list[tuple[int, dispatch.Routed]] = []
    informational: list[tuple[int, dispatch.Routed]] = []
    for index, envelope in enumerate(batch):
        refused = _refuse(envelope, persons, now, settings)
        if refused is not None:
            acks[index] = refused
            continue
        person = persons[envelope.user_id]
        routed = dispatch.Routed(envelope, person, _plan(envelope, person, person.id in online))
        lane = informational if envelope.priority is Priority.INFORMATIONAL else stored
        lane.append((index, routed))
    # First what may fail: an informational event would go out again with the batch's next try.
    acks.update(_keep(stored, online, now, settings))
    acks.update(_live_only(informational, now))
    return [acks[index] for index in range(len(batch))]


def _refuse(
    envelope: Envelope, persons: dict[str, Person], now: datetime, settings: knobs.Knobs
) -> Ack | None:
    """Return the ack of an event that may not come in, with a code, a field and what to do; else None."""

    def no(code: str, detail: str, field: str) -> Ack:
        return refusal(envelope.event_id, code, detail, now, field=field)

    grant = envelope.source
    if grant.event_types and envelope.event_type not in grant.event_types:
        return no("forbidden_type", f"Source {grant.name} may not send this event type.", "event_type")
    if envelope.priority > grant.max_priority:
        return no("forbidden_priority", f"At most {grant.max_priority.name}.", "delivery.priority")
    if envelope.topic:
        return no("topics_unsupported", "Send to a user_id; topics are not available yet.", "topic")
    if envelope.user_id not in persons:
        return no("unknown_user", "Nobody has this user_id; create the person first.", "user_id")
    now_ms = now.timestamp() * 1000
    if envelope.timestamp_ms > now_ms + settings.future_skew_s * 1000:
        return no("timestamp_in_future", "More than 5 minutes ahead; check the clock.", "timestamp")
    if envelope.expires_at_ms and envelope.expires_at_ms <= now_ms:
        return no("expired", "expires_at has passed; nothing was sent.", "expires_at")
    return None


def _plan(envelope: Envelope, person: Person, online: bool) -> Plan:
    return route(
        event_type=envelope.event_type,
        priority=envelope.priority,
        requested=envelope.channels,
        person=person,
        online=online,
        supported=supported(),
    )


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
    settings: knobs.Knobs,
) -> dict[int, Ack]:
    """Store, commit, and only then dispatch."""
    if not routed:
        return {}
    batch = [_acceptance(item, now, settings) for _, item in routed]
    answers = store.accept(batch, now=now)
    crash_points.passing("accept_after_commit")
    pairs = [(item, answer) for (_, item), answer in zip(routed, answers, strict=True)]
    new = [item.envelope.event_id for item, answer in pairs if answer.kind == "accepted"]
    log.info("accepted", extra={"event_ids": new})
    dispatch.dispatch(pairs, online, now)
    return {
        index: stored_ack(item.envelope.event_id, answer, now)
        for (index, item), answer in zip(routed, answers, strict=True)
    }


def _acceptance(item: dispatch.Routed, now: datetime, settings: knobs.Knobs) -> store.Acceptance:
    envelope = item.envelope
    critical = envelope.priority is Priority.CRITICAL
    expiry_s = settings.expiry_critical_s if critical else settings.expiry_normal_s
    given_ms = envelope.expires_at_ms
    return store.Acceptance(
        envelope=envelope,
        person_id=item.person.id,
        plan=item.plan,
        expires_at=(
            datetime.fromtimestamp(given_ms / 1000, UTC) if given_ms else now + timedelta(seconds=expiry_s)
        ),
        ack_timeout_ms=envelope.ack_timeout_ms or settings.ack_timeout_ms,
    )
