"""Events as a good producer writes them."""

import json
import time
import uuid

from notifications.events import SourceGrant
from proto.tocsin.v1 import user_events_pb2 as wire

GRANT = SourceGrant(1, "venue")


def event_json(**changes: object) -> dict:
    """One good event; a change to `...` leaves the field out."""
    event = {
        "event_id": f"e-{uuid.uuid4()}",
        "user_id": "ann",
        "timestamp": int(time.time() * 1000),
        "event_type": "ORDER_FILLED",
        "payload": {"symbol": "BTC/USDT", "fill_quantity": "0.5"},
        "delivery": {"priority": "NORMAL"},
    } | changes
    return {name: value for name, value in event.items() if value is not ...}


def event_message(**changes: object) -> wire.UserEvent:
    """The protobuf of `event_json`."""
    event = event_json(**changes)
    payload = event.pop("payload", None)
    delivery = event.pop("delivery", None)
    message = wire.UserEvent(**event)
    if payload is not None:
        message.payload = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    if delivery is not None:
        message.delivery.CopyFrom(wire.DeliverySpec(**delivery))
    return message
