"""The `event` frame: what a person's page is told about one event."""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from notifications import live
from notifications.render import render
from notifications.states import Channel, Priority
from notifications.transports.base import Message

log = logging.getLogger(__name__)


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
    topic: str = "",
) -> bytes:
    """Return the frame. Without `seq` it is not stored; without `ack_by` nobody waits for an `ack`."""
    try:
        message = render(
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
        message = Message(event_id, event_type, "")
    optional: dict[str, object] = {}
    if seq:
        optional["seq"] = seq
    if ack_by is not None:
        optional["ack_by"] = to_ms(ack_by)
    if topic:
        optional["topic"] = topic
    return live.frame(
        "event",
        event_id=event_id,
        event_type=event_type,
        priority=priority.name,
        timestamp=timestamp_ms,
        payload=payload,
        title=message.title,
        body=message.text,
        **optional,
    )
