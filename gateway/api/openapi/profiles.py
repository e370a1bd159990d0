"""What the OpenAPI document says of the calls about people, their destinations and preferences."""

from typing import Any

from gateway.codec import people, wishes
from gateway.codec.schema import object_schema

_PROBLEM: dict[str, Any] = {"application/problem+json": {}}
_PROBLEMS = {
    401: {"description": "Not signed in: key, token or session missing, wrong or over", "content": _PROBLEM},
    403: {"description": "The key or its source may not do this", "content": _PROBLEM},
    404: {"description": "No such person or destination, or not one's own", "content": _PROBLEM},
    422: {"description": "Invalid, with field and reason", "content": _PROBLEM},
}
_DESTINATION: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "channel": {"type": "string"},
        "address": {"type": "string"},
        "label": {"type": "string"},
        "verified": {"type": "boolean"},
        "enabled": {"type": "boolean"},
        "disabled_reason": {"type": "string"},
        "sources": {"type": "array", "items": {"type": "string"}},
    },
}
_WARNINGS = {"type": "array", "items": {"type": "object"}}
_PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "user_id": {"type": "string"},
        "name": {"type": "string"},
        "locale": {"type": "string"},
        "time_zone": {"type": "string"},
        "active": {"type": "boolean"},
        "groups": {"type": "array", "items": {"type": "string"}},
        "addresses": {"type": "array", "items": _DESTINATION},
        "created_at": {"type": "integer", "description": "Unix milliseconds."},
    },
}
_CHANGED = {
    **_PERSON,
    "properties": {"result": {"type": "string"}, **_PERSON["properties"], "warnings": _WARNINGS},
}
_EXAMPLE = {
    "name": "Alice Liddell",
    "locale": "de-CH",
    "time_zone": "Europe/Zurich",
    "groups": ["traders"],
    "addresses": [{"channel": "TELEGRAM", "address": "100200300", "label": "phone"}],
}


def _call(body: Any, example: Any, answers: dict[int, dict[str, Any]]) -> dict[str, Any]:
    content = {"application/json": {"schema": body, "example": example}}
    return {"requestBody": {"required": True, "content": content}, "responses": {**answers, **_PROBLEMS}}


def _json(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


_PERSON_FIELDS = object_schema(people.PERSON)
PUT = _call(
    _PERSON_FIELDS, _EXAMPLE, {200: _json(_CHANGED, "Changed, or as it was"), 201: _json(_CHANGED, "Created")}
)
PATCH = _call(_PERSON_FIELDS, {"locale": "fr"}, {200: _json(_CHANGED, "Changed, or as it was")})
GET: dict[str, Any] = {"responses": {200: _json(_PERSON, "The person"), **_PROBLEMS}}
_ITEM = {
    **_PERSON_FIELDS,
    "required": ["user_id"],
    "properties": {"user_id": {"type": "string", "maxLength": 128}, **_PERSON_FIELDS["properties"]},
}
BULK = _call(
    {
        "type": "object",
        "required": ["users"],
        "properties": {"users": {"type": "array", "maxItems": 1_000, "items": _ITEM}},
    },
    {"users": [{"user_id": "alice", **_EXAMPLE}]},
    {
        200: _json(
            {"type": "object", "properties": {"results": {"type": "array", "items": {"type": "object"}}}},
            "A result for each: created, updated, unchanged, or rejected with code, detail and field",
        )
    },
)


def _parameter(name: str, description: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    shown = {"name": name, "in": "query", "required": False, "description": description}
    return {**shown, "schema": schema or {"type": "string"}}


LIST: dict[str, Any] = {
    "parameters": [
        _parameter("user_id", "These ids", {"type": "array", "items": {"type": "string"}}),
        _parameter("prefix", "Beginning of the id"),
        _parameter("search", "Part of the id or of the name, or a whole address"),
        _parameter("group", "Members of this group"),
        _parameter("active", "true or false", {"type": "boolean"}),
    ],
    "responses": {
        200: _json(
            {
                "type": "object",
                "properties": {
                    "users": {"type": "array", "items": _PERSON},
                    "next_cursor": {"type": ["integer", "null"]},
                },
            },
            "A page",
        ),
        **_PROBLEMS,
    },
}

_CONFLICT = {"description": "Not as it stands; `code` says why", "content": _PROBLEM}
ADD = _call(
    object_schema(people.ADDRESS),
    {"channel": "EMAIL", "address": "alice@example.org"},
    {200: _json(_DESTINATION, "The person has it already"), 201: _json(_DESTINATION, "Added")},
)
CHANGE = _call(
    object_schema(people.DESTINATION_CHANGE),
    {"label": "work"},
    {200: _json(_DESTINATION, "Changed"), 409: _CONFLICT},
)
TEST: dict[str, Any] = {
    "responses": {
        200: _json(
            {
                "type": "object",
                "properties": {
                    "outcome": {"type": "string"},
                    "reason": {"type": "string"},
                    "provider_message_id": {"type": "string"},
                },
            },
            "The provider's answer; `sent` means that it took the message",
        ),
        409: _CONFLICT,
        429: {"description": "Too many tests of this address; Retry-After", "content": _PROBLEM},
        **_PROBLEMS,
    }
}
VERIFY: dict[str, Any] = {
    "requestBody": {
        "required": False,
        "content": {
            "application/json": {"schema": object_schema(people.CODE), "example": {"code": "123456"}}
        },
    },
    "responses": {
        200: _json(_DESTINATION, "With `code`: verified"),
        202: _json(
            {
                "type": "object",
                "properties": {"expires_at": {"type": "integer", "description": "Unix milliseconds."}},
            },
            "Without `code`: one was sent",
        ),
        409: _CONFLICT,
        429: {"description": "Too many codes; Retry-After", "content": _PROBLEM},
        503: {"description": "The provider is away; Retry-After", "content": _PROBLEM},
        **_PROBLEMS,
    },
}
PREFERENCES = _call(
    object_schema(wishes.PREFERENCES),
    {
        "channels": [{"channel": "TELEGRAM"}, {"channel": "EMAIL", "min_priority": "CRITICAL"}],
        "quiet_hours": [{"starts": "22:00", "ends": "07:00"}],
    },
    {200: _json(object_schema(wishes.PREFERENCES), "All preferences as they are now")},
)
_MUTE = object_schema(wishes.MUTE)
MUTE = _call(
    _MUTE,
    {"group": "prices", "until": 1795248734000},
    {201: _json({**_MUTE, "properties": {"id": {"type": "integer"}, **_MUTE["properties"]}}, "Muted")},
)
