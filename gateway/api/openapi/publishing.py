"""What the OpenAPI document says of the calls that are answered before Django."""

from typing import Any

from gateway.codec import fields, limits
from gateway.codec.acks import EventAck, EventAckBatch
from gateway.codec.schema import object_schema

EXAMPLE: dict[str, Any] = {
    "event_id": "order-1001-filled",
    "user_id": "demo",
    "timestamp": 1_790_000_000_000,
    "event_type": "ORDER_FILLED",
    "payload": {"symbol": "BTC/USDT", "side": "buy", "fill_quantity": "0.5", "fill_price": "64250.00"},
    "delivery": {
        "priority": "CRITICAL",
        "channels": [{"channel": "ACTIVE_SESSION", "only_if_active": True}, {"channel": "TELEGRAM"}],
    },
}

EVENT = object_schema(fields.EVENT, "Event")
_BATCH: dict[str, Any] = {
    "title": "EventBatch",
    "type": "object",
    "required": ["events"],
    "properties": {"events": {"type": "array", "maxItems": limits.BATCH_EVENTS, "items": EVENT}},
}
ANSWERS = (EventAck, EventAckBatch)

_PROTOBUF: dict[str, Any] = {"application/x-protobuf": {"schema": {"type": "string", "format": "binary"}}}
_WAIT = {
    "in": "query",
    "name": "wait",
    "required": False,
    "description": "Answer when the event has ended, or after so many seconds.",
    "schema": {"type": "number", "minimum": 0, "default": 0},
}


def _body(schema: dict[str, Any], example: Any) -> dict[str, Any]:
    content = {"application/json": {"schema": schema, "example": example}} | _PROTOBUF
    return {"required": True, "content": content}


def _answer(description: str, name: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"description": description, "content": {"application/json": {"schema": schema}} | _PROTOBUF}


def _refused(*statuses: int) -> dict[int, Any]:
    """To who speaks protobuf, these refusals are an ack too."""
    return {status: {"description": "Refused: `code` says why", "content": _PROTOBUF} for status in statuses}


_TEXT = {"type": "string"}
_HOOK_ANSWER: dict[str, Any] = {
    "type": "object",
    "required": ["events"],
    "properties": {
        "events": {"type": "array", "items": {"$ref": "#/components/schemas/EventAck"}},
        "code": {**_TEXT, "description": "Why not all was accepted."},
        "detail": _TEXT,
        "quarantine_id": {"type": "integer"},
    },
}


def _hook_answer(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": _HOOK_ANSWER}}}


CALLS: dict[str, Any] = {
    "/api/v1/hooks/{normalizer}/{token}": {
        "operationId": "post_to_hook",
        "summary": "Post in another system's format",
        "description": "The token says which source posts. It may be a bearer instead.",
        "parameters": [
            {"in": "path", "name": "normalizer", "required": True, "schema": _TEXT},
            {"in": "path", "name": "token", "required": True, "schema": _TEXT},
            {
                "in": "query",
                "name": "account",
                "required": False,
                "description": "Whose account it is about, if the format does not say.",
                "schema": _TEXT,
            },
        ],
        "security": [{"HookToken": []}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": {}}}},
        "responses": {
            200: _hook_answer("Known already, or it tells nobody anything"),
            202: _hook_answer("Accepted: committed"),
        },
    },
    "/api/v1/events": {
        "operationId": "publish_event",
        "summary": "Publish an event",
        "description": "Take in one event.",
        "parameters": [_WAIT],
        "security": [{"SourceKey": []}],
        "requestBody": _body(EVENT, EXAMPLE),
        "responses": {
            200: _answer("Known already, or ended", "EventAck"),
            202: _answer("Accepted: committed", "EventAck"),
            **_refused(403, 409, 413, 422, 503),
        },
    },
    "/api/v1/events/batch": {
        "operationId": "publish_events",
        "summary": "Publish up to 1,000 events",
        "description": "Take in a batch. The answer has one ack for each event; partial failure is normal.",
        "security": [{"SourceKey": []}],
        "requestBody": _body(_BATCH, {"events": [EXAMPLE]}),
        "responses": {
            200: _answer("One ack for each event, in order", "EventAckBatch"),
            **_refused(413, 422, 503),
        },
    },
}
