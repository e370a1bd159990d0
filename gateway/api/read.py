"""Reading one event with everything that happened to it."""

from typing import Annotated, Any, NotRequired, cast

from pydantic import Field
from typing_extensions import TypedDict

from gateway.api.shown import Milliseconds, ms_or_none
from gateway.codec.acks import EventAck, ack_to_json
from notifications import simulation, store
from notifications.acks import event_ack
from notifications.live.frames import to_ms
from notifications.models import Broadcast, Delivery, Event, SimulatedEvent
from notifications.operations.timeline import TimelineStep, timeline
from notifications.states import Channel, Priority
from notifications.topics.acks import broadcast_ack
from runtime.postgres import clock


class PlanStep(TypedDict):
    """A channel to try. After a replay, with its number."""

    channel: str
    destination_id: int | None
    hold_until: NotRequired[str]
    hold_reason: NotRequired[str]
    replay: NotRequired[int]


class TraceLine(TypedDict):
    """A decision on a channel, with its reason."""

    channel: str
    verdict: str
    reason: str
    destination_id: NotRequired[int | None]
    until: NotRequired[str | None]
    at: NotRequired[str]
    replay: NotRequired[int]


class AttemptStory(TypedDict):
    number: int
    started_at: Milliseconds
    latency_ms: int
    outcome: str
    error: str


class TemplateUsed(TypedDict):
    template_id: int
    name: str
    number: int


class DeliveryStory(TypedDict):
    id: str
    replay: int
    channel: str
    destination_id: int | None
    state: str
    failure_kind: str
    error: str
    possible_duplicate: bool
    provider_message_id: str
    template_version: TemplateUsed | None
    ack_deadline: Milliseconds | None
    merged_into: Annotated[str | None, Field(description="The delivery whose message it is in.")]
    attempts: list[AttemptStory]


class Ending(TypedDict):
    """How an acceptance before a replay ended."""

    state: str
    code: str
    delivered_via: str | None
    evidence: str
    final_at: Milliseconds
    confirmed_at: Milliseconds | None
    replayed_at: Milliseconds
    replay_id: str
    forced: bool


class _AnyStory(TypedDict):
    event_id: str
    event_type: str
    priority: str
    timestamp: Milliseconds
    accepted_at: Milliseconds
    payload: dict[str, Any]
    content: Annotated[dict[str, Any] | None, Field(description="The producer's own words.")]
    metadata: dict[str, str]
    correlation_id: str
    topic: str
    ack: EventAck


class EventStory(_AnyStory):
    """A person's event, with everything that happened to it."""

    user_id: str
    expires_at: Milliseconds | None
    topic_event_id: Annotated[str | None, Field(description="The event to the topic that it came from.")]
    plan: list[PlanStep]
    trace: list[TraceLine]
    deliveries: list[DeliveryStory]
    replay_id: str | None
    replay_count: int
    history: list[Ending]
    timeline: list[TimelineStep]


class TopicEventStory(_AnyStory):
    """An event to a topic, and how many persons' events are in which state."""

    expires_at: Milliseconds
    everybody_told: bool
    counts: dict[str, int]


class SimulatedStory(TypedDict):
    """An event of a test key: what would have become of it."""

    event_id: str
    event_type: str
    accepted_at: Milliseconds
    ack: EventAck
    plan: list[PlanStep]
    trace: list[TraceLine]


def simulated_story(source_id: int, event_id: str) -> SimulatedStory | None:
    """Return the event of a test key, or None."""
    known = SimulatedEvent.objects.filter(source=source_id, event_id=event_id)
    row = None if "\0" in event_id else known.first()
    if row is None:
        return None
    return {
        "event_id": row.event_id,
        "event_type": row.event_type,
        "accepted_at": to_ms(row.accepted_at),
        "ack": ack_to_json(simulation.ack_of(row)),
        "plan": [cast(PlanStep, _named(step)) for step in row.plan],
        "trace": [cast(TraceLine, _named(line)) for line in row.trace],
    }


def stored_pk(source_id: int, event_id: str) -> int | str | None:
    """Return the key of a person's event (a number) or of an event to a topic (a text), or None."""
    if "\0" in event_id:
        return None  # Postgres has no such text
    event = Event.objects.filter(source_id=source_id, event_id=event_id).values_list("pk", flat=True).first()
    return event or next((str(row.pk) for row in store.broadcasts.find([(source_id, event_id)])), None)


def _deliveries(event: Event) -> list[Delivery]:
    rows = event.deliveries.select_related("template_version__template").prefetch_related("tries")
    return list(rows.order_by("position"))


def story(pk: int | str) -> EventStory | TopicEventStory:
    """Return the event with its ack, plan, trace, deliveries, attempts and timeline.

    Of an event to a topic: with its ack, and how many persons' events are in which state now.
    """
    if isinstance(pk, str):
        return _broadcast(Broadcast.objects.get(pk=pk))
    event = Event.objects.select_related("person", "broadcast", "source").get(pk=pk)
    return event_story(event, _deliveries(event))


def event_story(event: Event, deliveries: list[Delivery]) -> EventStory:
    """Return a person's event. Its deliveries are in their order, with what they refer to."""
    return {
        "event_id": event.event_id,
        "user_id": event.person.external_id,
        "event_type": event.event_type,
        "priority": Priority(event.priority).name,
        "timestamp": to_ms(event.occurred_at),
        "accepted_at": to_ms(event.accepted_at),
        "expires_at": ms_or_none(event.expires_at),
        "payload": event.payload,
        "content": event.words,
        "metadata": event.metadata,
        "correlation_id": event.correlation_id,
        "topic": event.topic,
        "topic_event_id": event.broadcast.event_id if event.broadcast else None,
        "ack": ack_to_json(event_ack(event, deliveries, now=clock.now())),
        "plan": [cast(PlanStep, _named(step)) for step in event.plan],
        "trace": [cast(TraceLine, _named(line)) for line in event.trace],
        "deliveries": [_delivery(row) for row in deliveries],
        "replay_id": str(event.replay_id) if event.replay_id else None,
        "replay_count": event.replay_count,
        "history": [_ended(end) for end in event.history],
        "timeline": timeline(event, deliveries),
    }


def _broadcast(row: Broadcast) -> TopicEventStory:
    return {
        "event_id": row.event_id,
        "topic": row.topic,
        "event_type": row.event_type,
        "priority": Priority(row.priority).name,
        "timestamp": row.content["timestamp_ms"],
        "accepted_at": to_ms(row.accepted_at),
        "expires_at": to_ms(row.expires_at),
        "payload": row.content["payload"],
        "content": row.content.get("words"),
        "metadata": row.content["metadata"],
        "correlation_id": row.content["correlation_id"],
        "ack": ack_to_json(broadcast_ack(row, now=clock.now())),
        "everybody_told": row.told_at is not None,
        "counts": store.broadcasts.counts(row.pk),
    }


def _named(step: dict[str, Any]) -> dict[str, Any]:
    return {**step, "channel": Channel(step["channel"]).name}


def _ended(end: dict[str, Any]) -> Ending:
    """Return how an acceptance before a replay ended."""
    via = end["delivered_via"]
    return cast(Ending, end | {"delivered_via": None if via is None else Channel(via).name})


def _delivery(row: Delivery) -> DeliveryStory:
    return {
        "id": str(row.pk),
        "replay": row.replay,
        "channel": Channel(row.channel).name,
        "destination_id": row.destination_id,
        "state": row.state,
        "failure_kind": row.failure_kind,
        "error": row.error,
        "possible_duplicate": row.possible_duplicate,
        "provider_message_id": row.provider_message_id,
        "merged_into": str(row.merged_into) if row.merged_into else None,
        "template_version": _template_version(row),
        "ack_deadline": ms_or_none(row.ack_deadline),
        "attempts": [
            {
                "number": attempt.number,
                "started_at": to_ms(attempt.started_at),
                "latency_ms": attempt.latency_ms,
                "outcome": attempt.outcome,
                "error": attempt.error,
            }
            for attempt in row.tries.all()
        ],
    }


def _template_version(row: Delivery) -> TemplateUsed | None:
    """Return the stored wording that was sent; None: a shipped one, or the producer's own words."""
    version = row.template_version
    if version is None:
        return None
    return {"template_id": version.template_id, "name": str(version.template), "number": version.number}
