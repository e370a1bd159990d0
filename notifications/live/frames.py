"""The `event` frame: one event, as it is sent to a recipient's open pages."""

import json
import logging
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from notifications.effects import Changed
from notifications.events import Content, EventName
from notifications.live import pubsub
from notifications.models import Event
from notifications.rendering.render import render
from notifications.states import Channel, Priority
from notifications.store import Due
from notifications.transports.base import Message
from notifications.words import Words

log = logging.getLogger(__name__)


# `event_frame` writes these fields first, so that a gateway can order frames without parsing payloads.
# A frame without `seq` never matches: the pattern is anchored, so a payload cannot imitate a head.
_HEAD = re.compile(
    rb'\{"type":"event","seq":(\d+),(?:"ack_by":(\d+),)?(?:"repeat":(true),)?"event_id":"((?:[^"\\]|\\.)*)"'
    rb'(?:,"source":"((?:[^"\\]|\\.)*)")?'  # none in the frames of an older worker
)


@dataclass(frozen=True, slots=True)
class Head:
    """The fields by which a gateway orders a stored event's frame. `ack_by` is in Unix ms, 0 for none."""

    seq: int
    name: EventName
    ack_by: int = 0
    repeat: bool = False


def head(frame: bytes) -> Head | None:
    """Return the head of a stored event's frame; None for every other frame."""
    found = _HEAD.match(frame)
    if found is None:
        return None
    seq, ack_by, repeat, event_id, source = found.groups()
    name = EventName(_text(source or b""), _text(event_id))
    return Head(int(seq), name, int(ack_by or 0), bool(repeat))


def _text(string: bytes) -> str:
    """Return the text of a JSON string, given without its quotes; most have no escapes."""
    return str(json.loads(b'"%s"' % string)) if b"\\" in string else string.decode()


def to_ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def stored_content(row: Event | Due, time_zone: str, locale: str) -> Content:
    """Return the content of a stored event, which was read as a row or with a claimed delivery."""
    source, hosts = (
        (row.source, row.link_hosts) if isinstance(row, Due) else (row.source.name, row.source.link_hosts)
    )
    return Content(
        row.event_id,
        row.event_type,
        Priority(row.priority),
        to_ms(row.occurred_at),
        row.payload,
        time_zone,
        row.topic,
        row.seq,
        source,
        locale,
        Words.from_json(row.words) if row.words else None,
        tuple(hosts),
        pierces=row.pierces if isinstance(row, Due) else None,
        silent=row.silent,
    )


def event_frame(content: Content, *, ack_by: datetime | None = None, repeat: bool = False) -> bytes:
    """Return the frame. Without `ack_by` the server does not wait for the client's `ack`.

    `repeat`: the event was sent before, to this page or on another channel; the frame may come out of
    order and the client may already have it.
    """
    return worded_frame(content, ack_by=ack_by, repeat=repeat)[0]


def worded_frame(
    content: Content,
    *,
    ack_by: datetime | None = None,
    repeat: bool = False,
    say: Callable[[Content], Message] | None = None,
) -> tuple[bytes, int | None]:
    """Return the frame, and the version of the stored wording in it, if it has one.

    `say`: renders the message, if not this function; `Sayings` for the frames of a batch.
    """
    message = (say or _render_or_name)(content)
    optional: dict[str, object] = {}
    if content.seq:
        optional["seq"] = content.seq
    if ack_by is not None:
        optional["ack_by"] = to_ms(ack_by)
    if repeat:
        optional["repeat"] = True
    frame = pubsub.frame(
        "event",
        **optional,
        event_id=content.event_id,
        source=content.source,
        event_type=content.event_type,
        priority=content.priority.name,
        timestamp=content.timestamp_ms,
        payload=content.payload,
        title=message.title,
        body=message.text,
        **own_words(message),
        # After the fields that `head` reads.
        **({"silent": True} if content.silent else {}),
        **({"topic": content.topic} if content.topic else {}),
    )
    return frame, message.template_version


class Sayings:
    """The messages of one batch: an event to many followers is rendered once for a locale and zone.

    The events of a broadcast share their payload. It is compared by identity: the batch keeps it alive.
    """

    def __init__(self) -> None:
        self._said: dict[object, Message] = {}

    def say(self, content: Content) -> Message:
        if not content.topic:
            return _render_or_name(content)
        person = (content.time_zone, content.locale, content.pierces)
        event = (content.event_type, content.priority, content.timestamp_ms, content.source, content.topic)
        key = (id(content.payload), person, event, content.words, content.link_hosts)
        message = self._said.get(key)
        if message is None:
            message = self._said[key] = _render_or_name(content)
        return message


def own_words(message: Message) -> dict[str, object]:
    """Return what the producer's own words add to a title and a body. Its URLs are safe to link to."""
    if not (message.blocks or message.url or message.image or message.actions):  # nearly always
        return {}
    found: dict[str, object] = {
        "url": message.url,
        "image": message.image,
        "actions": [action.to_json() for action in message.actions],
        "blocks": [block.to_json() for block in message.blocks],
    }
    return {name: value for name, value in found.items() if value}


def _render_or_name(content: Content) -> Message:
    """Render the event for the page; an event that cannot be rendered shows its type."""
    try:
        return render(content, Channel.WEB, key=content.event_id)
    except Exception:  # after the commit: one bad template must not hold back the batch's other frames
        log.exception("render_failed", extra={"event_id": content.event_id, "type": content.event_type})
        return Message(content.event_id, content.event_type, "")


def changed_frames(kind: str, changes: Iterable[Changed]) -> list[tuple[int, bytes]]:
    """Return the frames that report changes of events to their persons, one for each person and source."""
    grouped: dict[tuple[int, str], list[Changed]] = defaultdict(list)
    for change in changes:
        grouped[change.person_id, change.name.source].append(change)
    return [
        (person_id, pubsub.frame(kind, source=source, event_ids=_ids(group), seqs=_seqs(group)))
        for (person_id, source), group in grouped.items()
    ]


def _ids(changes: list[Changed]) -> list[str]:
    return [change.name.event_id for change in changes]


def _seqs(changes: list[Changed]) -> list[int]:
    return [change.seq for change in changes]
