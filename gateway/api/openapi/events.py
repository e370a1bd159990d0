"""What the OpenAPI document says of bodies that we read ourselves. A test sends the examples."""

from typing import Any

from gateway.codec import fields
from gateway.codec.schema import object_schema

DESCRIPTION = """Publish events, and learn what became of them.

Errors are RFC 9457 problem documents with a machine-readable `code`; see docs/api.md for all codes.

Live sessions have an [AsyncAPI document](/api/v1/asyncapi.yaml).
"""

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

_TEXT = {"type": "string", "maxLength": 200}
_NUMBER = {"type": "integer", "minimum": 0}

EVENT = object_schema(fields.EVENT)

ACK: dict[str, Any] = {
    "type": "object",
    "properties": {
        "event_id": {"type": "string"},
        "status": {"enum": ["QUEUED", "DELIVERED", "ACK_ERROR"]},
        "final": {"type": "boolean"},
        "state": {"type": ["string", "null"]},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "field": {"type": "string"},
        "duplicate": {"type": "boolean"},
        "seq": {"type": "integer"},
        "counts": {"type": "object", "description": "Of an event to a topic: persons by state."},
        "superseded_by": {"type": "string", "description": "The `event_id` that took its place."},
        "delivered_via": {"type": ["string", "null"]},
        "evidence": {"enum": ["", "TRANSPORT", "CLIENT", "HUMAN"]},
        "at": {"type": "integer"},
        "outcomes": {"type": "array", "items": {"type": "object"}},
    },
}

_PROTOBUF = {"schema": {"type": "string", "format": "binary"}}


def _answer(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/json": {"schema": schema}, "application/x-protobuf": _PROTOBUF},
    }


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/problem+json": {}}}


def _body(schema: dict[str, Any], example: Any) -> dict[str, Any]:
    json = {"schema": schema, "example": example}
    content = {"application/json": json, "application/x-protobuf": _PROTOBUF}
    return {"required": True, "content": content}


_REFUSALS = {
    401: _problem("Key missing or wrong"),
    403: _problem("The source may not do this"),
    413: _problem("Too large"),
    415: _problem("Neither JSON nor protobuf"),
    422: _problem("Invalid, with field and reason"),
    503: _problem("The database is away; Retry-After says when to send it again"),
}

_PUBLISH_ONE: dict[str, Any] = {
    "operationId": "publish_event",
    "summary": "Publish an event",
    "description": "Take in one event. With `wait`, answer when it has ended, or after that many seconds.",
    "parameters": [{"in": "query", "name": "wait", "schema": {"type": "number", "minimum": 0, "default": 0}}],
    "security": [{"SourceKey": []}],
    "requestBody": _body(EVENT, EXAMPLE),
    "responses": {
        200: _answer("Known already, or ended", ACK),
        202: _answer("Accepted: committed", ACK),
        409: _problem("The same event_id with other content"),
        **_REFUSALS,
    },
}

_PUBLISH_BATCH: dict[str, Any] = {
    "operationId": "publish_events",
    "summary": "Publish up to 1,000 events",
    "description": "Take in a batch. The answer has one ack for each event; partial failure is normal.",
    "security": [{"SourceKey": []}],
    "requestBody": _body(
        {
            "type": "object",
            "properties": {"events": {"type": "array", "maxItems": 1000, "items": EVENT}},
        },
        {"events": [EXAMPLE]},
    ),
    "responses": {
        200: _answer(
            "One ack for each event, in order",
            {"type": "object", "properties": {"acks": {"type": "array", "items": ACK}}},
        ),
        **_REFUSALS,
    },
}

PUBLISHING = {"/api/v1/events": _PUBLISH_ONE, "/api/v1/events/batch": _PUBLISH_BATCH}

_FILTER: dict[str, Any] = {
    "user": {"type": "string", "description": "The person's external id."},
    "type": {"type": "string", "description": "The event type, as it is shown."},
    "priority": {"enum": ["NORMAL", "CRITICAL"]},
    "state": {"enum": ["accepted", "delivered", "failed", "expired", "superseded"]},
    "from": {**_NUMBER, "description": "Accepted at or after, Unix milliseconds."},
    "to": {**_NUMBER, "description": "Accepted before, Unix milliseconds."},
}

LIST: dict[str, Any] = {
    "parameters": [{"in": "query", "name": name, "schema": schema} for name, schema in _FILTER.items()]
}

REPLAY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "event_ids": {"type": "array", "maxItems": 1000, "items": _TEXT},
                        "filter": {"type": "object", "properties": _FILTER, "additionalProperties": False},
                        "dry_run": {"type": "boolean"},
                        "force": {"type": "boolean", "description": "Also what has been delivered."},
                        "limit": {"type": "integer", "minimum": 1, "maximum": 10000},
                    },
                },
                "example": {"filter": {"priority": "CRITICAL", "state": "failed"}, "dry_run": True},
            }
        },
    },
    "responses": {
        200: {"description": "A dry run: the count"},
        202: {"description": "Accepted again: the replay's id and counts"},
        **_REFUSALS,
    },
}
