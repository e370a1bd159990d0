"""What the OpenAPI document says of the calls about stored templates."""

from typing import Any

_PROBLEM: dict[str, Any] = {"application/problem+json": {}}
_REFUSED: dict[int, Any] = {
    401: {"description": "The key is missing, unknown or revoked", "content": _PROBLEM},
    403: {"description": "The key lacks the scope admin", "content": _PROBLEM},
}
_INVALID: dict[int, Any] = {422: {"description": "Invalid, with field and reason", "content": _PROBLEM}}
_NOT_FOUND: dict[int, Any] = {404: {"description": "No such template or version", "content": _PROBLEM}}
_TEXT, _FLAG = {"type": "string"}, {"type": "boolean"}

_TEMPLATE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "event_type": _TEXT,
        "is_family": _FLAG,
        "channel": {"type": ["string", "null"], "description": "null: every channel"},
        "locale": {"type": "string", "description": "empty: every language"},
        "title": _TEXT,
        "body": _TEXT,
    },
    "required": ["event_type", "title"],
}
_EXAMPLE = {"event_type": "ORDER_FILLED", "locale": "de", "title": "{{ payload.symbol }} ausgeführt"}
_STORED = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        **_TEMPLATE["properties"],
        "is_draft": {"type": "boolean", "description": "title and body are not the version in use"},
        "published": {"type": ["object", "null"], "description": "the version in use; null: none"},
    },
}


def _body(schema: dict[str, Any], example: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"content": {"application/json": {"schema": schema, "example": example}}}}


def _responses(schema: dict[str, Any], *refusals: dict[int, Any]) -> dict[str, Any]:
    answer = {200: {"description": "OK", "content": {"application/json": {"schema": schema}}}}
    for refusal in (_REFUSED, *refusals):
        answer |= refusal
    return {"responses": answer}


LIST = _responses({"type": "object", "properties": {"templates": {"type": "array", "items": _STORED}}})
PUT = _body(
    {**_TEMPLATE, "properties": {**_TEMPLATE["properties"], "publish": _FLAG}}, _EXAMPLE | {"publish": True}
) | _responses(_STORED, _INVALID)
PREVIEW = _body(
    {**_TEMPLATE, "properties": {**_TEMPLATE["properties"], "sample": {"type": "object"}}},
    _EXAMPLE | {"sample": {"payload": {"symbol": "BTC/USDT"}, "locale": "de", "time_zone": "Europe/Zurich"}},
) | _responses({"type": "object"}, _INVALID)
PUBLISHED = _body(
    {"type": "object", "properties": {"version": {"type": ["integer", "null"]}}}, {"version": 1}
) | _responses(_STORED, _INVALID, _NOT_FOUND)
