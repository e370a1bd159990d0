"""The `event` frame: what a person's page is told about one event."""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notifications.live import pubsub
from notifications.rendering.render import render
from notifications.states import Channel, Priority
from notifications.transports.base import Message

log = logging.getLogger(__name__)


# `event_frame` writes these first, so that a gateway need not parse a payload to put frames in order. A frame
# without `seq` never matches: anchored, so that nothing a producer writes can be taken for it.
_HEAD = re.compile(
    rb'\{"type":"event","seq":(\d+),(?:"ack_by":(\d+),)?(?:"repeat":(true),)?"event_id":("(?:[^"\\]|\\.)*")'
)


@dataclass(frozen=True, slots=True)
class Head:
    """What orders a stored event's frame. `ack_by` is in Unix ms, 0 for none."""

    seq: int
    event_id: str
    ack_by: int = 0
    repeat: bool = False


def head(frame: bytes) -> Head | None:
    """Return the head of a stored event's frame; None for every other frame."""
    found = _HEAD.match(frame)
    if found is None:
        return None
    seq, ack_by, repeat, event_id = found.groups()
    return Head(int(seq), json.loads(event_id), int(ack_by or 0), bool(repeat))


def to_ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def event_frame(
    *,
    event_id: str,
    event_type: str,
    priority: Priority,
    timestamp_ms: int,
    payload: Mapping[str, Any],
    time_zone: str,
    seq: int = 0,
    ack_by: datetime | None = None,
    repeat: bool = False,
    topic: str = "",
) -> bytes:
    """Return the frame. Without `seq` it is not stored; without `ack_by` nobody waits for an `ack`.

    `repeat`: other channels were tried, or the page before; it may come out of order and may be known.
    """
    message = _worded(event_id, event_type, priority, timestamp_ms, payload, time_zone)
    optional: dict[str, object] = {}
    if seq:
        optional["seq"] = seq
    if ack_by is not None:
        optional["ack_by"] = to_ms(ack_by)
    if repeat:
        optional["repeat"] = True
    return pubsub.frame(
        "event",
        **optional,
        event_id=event_id,
        event_type=event_type,
        priority=priority.name,
        timestamp=timestamp_ms,
        payload=payload,
        title=message.title,
        body=message.text,
        **({"topic": topic} if topic else {}),  # behind what `head` reads
    )


def _worded(
    event_id: str,
    event_type: str,
    priority: Priority,
    timestamp_ms: int,
    payload: Mapping[str, Any],
    time_zone: str,
) -> Message:
    """Render the event for the page; what cannot be rendered is named by its type."""
    try:
        return render(
            event_type=event_type,
            payload=payload,
            channel=Channel.WEB,
            priority=priority,
            timestamp_ms=timestamp_ms,
            time_zone=time_zone,
            key=event_id,
        )
    except Exception:  # after the commit: a template's fault must not keep the batch's frames back
        log.exception("render_failed", extra={"event_id": event_id, "type": event_type})
        return Message(event_id, event_type, "")
