"""The fan-out of a broadcast, a chunk of subscribers at a time: each gets a stored event of their own.

The events' ids derive from the broadcast's, so a chunk that is repeated after a crash changes nothing.
"""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from notifications import store
from notifications.effects import Effects, FanOut
from notifications.events import ChannelChoice, Envelope, JsonObject, SourceGrant
from notifications.live.push import push_accepted
from notifications.models import Broadcast
from notifications.rendering import published
from notifications.routing.plan import plan_for
from notifications.settings import pipeline_settings
from notifications.states import Channel, Priority
from notifications.topics import subscriptions
from notifications.words import Words
from runtime.failpoints import failpoint

_CHUNK_S = 15.0  # the sweep repeats an unfinished chunk after this; a repeat changes nothing
_IDS = uuid.UUID("6f0c3c56-7b0e-4b43-9a5e-2f8d5b6f1c11")  # namespace of these uuid5 ids


def accept_next_chunk(broadcast_pk: str, *, now: datetime) -> Effects:
    """Store and push the events of the next chunk. Return their effects, and the next chunk if there is one.

    Guarantee: each person who followed the topic at the acceptance gets exactly one event.
    """
    settings = pipeline_settings()
    row = store.broadcasts.claim(broadcast_pk, now=now, again_s=_CHUNK_S)
    if row is None:
        return Effects()
    if row.expires_at <= now:
        store.broadcasts.finish(broadcast_pk, now=now)
        return Effects()
    if store.broadcasts.waits_for_another(row, now=now):
        return Effects()
    size = settings.fan_out_chunk
    chunk = subscriptions.audience(row.topic, before=row.accepted_at, after=row.told_up_to, limit=size)
    effects = _accept_for(row, chunk, now)
    failpoint("fan_out_before_advance")
    if chunk:
        store.broadcasts.advance(broadcast_pk, up_to=chunk[-1][0], now=now)
    if len(chunk) < size:
        store.broadcasts.finish(broadcast_pk, now=now)
    else:
        effects.fan_outs.append(FanOut(broadcast_pk, Priority(row.priority)))
    return effects


def _accept_for(row: Broadcast, chunk: Sequence[tuple[int, str]], now: datetime) -> Effects:
    """Accept one event for each person, and push it to those who are online."""
    envelope = envelope_of(row)
    own = [
        replace(envelope, user_id=user_id, event_id=event_id_for(row, person_id))
        for person_id, user_id in chunk
    ]
    planned = [item for item in plan_for(own, now=now) if item is not None]
    if not planned:
        return Effects()
    published.refresh()
    answers = store.accept(
        [store.acceptance(item, now=now, broadcast_id=row.pk) for item in planned], now=now
    )
    failpoint("fan_out_after_accept")
    return push_accepted(list(zip(planned, answers, strict=True)), now)


def event_id_for(row: Broadcast, person_id: int) -> str:
    """Return the id of a person's own event: stable for the broadcast, 42 characters."""
    return f"topic-{uuid.uuid5(_IDS, f'{row.pk}/{person_id}')}"


def content_of(envelope: Envelope) -> JsonObject:
    """Return the fields without a column of their own, as JSON."""
    return {
        "timestamp_ms": envelope.timestamp_ms,
        "payload": envelope.payload,
        "words": envelope.words.to_json() if envelope.words else None,
        "channels": [choice.to_json() for choice in envelope.channels],
        "schema_version": envelope.schema_version,
        "collapse_key": envelope.collapse_key,
        "ordering_key": envelope.ordering_key,
        "version": envelope.version,
        "metadata": dict(envelope.metadata),
        "correlation_id": envelope.correlation_id,
        "ack_timeout_ms": envelope.ack_timeout_ms,
        "default_expiry": not envelope.expires_at_ms,
    }


def envelope_of(row: Broadcast) -> Envelope:
    """Return the envelope as it was accepted; its expiry is the broadcast's."""
    content = dict(row.content)
    words = content.pop("words", None)
    channels = tuple(
        ChannelChoice(Channel(choice["channel"]), choice["only_if_active"])
        for choice in content.pop("channels")
    )
    return Envelope(
        source=SourceGrant(row.source_id, row.source.name, link_hosts=tuple(row.source.link_hosts)),
        event_id=row.event_id,
        user_id="",
        topic=row.topic,
        event_type=row.event_type,
        priority=Priority(row.priority),
        digest=bytes(row.digest),
        expires_at_ms=round(row.expires_at.astimezone(UTC).timestamp() * 1000),
        channels=channels,
        words=Words.from_json(words) if words else None,
        **content,
    )
