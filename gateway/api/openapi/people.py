"""What the OpenAPI document says of the calls in gateway/api/people.py."""

from typing import Any

_ID = {"type": "string", "maxLength": 128}
_MS: dict[str, Any] = {"type": "integer", "description": "Unix milliseconds."}
_PROBLEMS = {
    status: {"description": text, "content": {"application/problem+json": {}}}
    for status, text in {
        401: "Not signed in: key, token or session missing, wrong or over",
        403: "The key lacks the scope, or the CSRF token is missing",
        404: "No such person, or not oneself",
    }.items()
}


def _json(properties: dict[str, Any], description: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


TICKET: dict[str, Any] = {
    "requestBody": {
        "required": False,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"user_id": {**_ID, "description": "Needed with an API key."}},
                },
                "example": {"user_id": "demo"},
            }
        },
    },
    "responses": {
        201: _json({"ticket": {"type": "string"}, "expires_in": {"type": "integer"}}, "Good once"),
        **_PROBLEMS,
        422: {"description": "Invalid, with field and reason", "content": {"application/problem+json": {}}},
        503: {"description": "Redis is away; Retry-After", "content": {"application/problem+json": {}}},
    },
}

_SOCKET = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "device": {"type": "string", "maxLength": 80, "description": "The client's own word."},
        "since": _MS,
        "last_confirmation": {**_MS, "type": ["integer", "null"]},
        "gateway": {"type": "string"},
    },
}
_CHANNEL = {
    "type": "object",
    "properties": {
        "channel": {"type": "string"},
        "usable": {"type": "boolean"},
        "reason": {"type": "string"},
        "destinations": {"type": "array", "items": {"type": "object"}},
    },
}

REACHABILITY: dict[str, Any] = {
    "responses": {
        200: _json(
            {
                "user_id": _ID,
                "active": {"type": "boolean"},
                "online": {"type": "boolean"},
                "sockets": {"type": ["array", "null"], "items": _SOCKET},
                "channels": {"type": "array", "items": _CHANNEL},
                "telegram_active": {"type": "boolean"},
                "muted": {"type": "array", "items": {"type": "object"}},
                "mutes": {"type": "array", "items": {"type": "object"}},
                "held": {"type": ["object", "null"], "description": "Why a NORMAL event would wait."},
            },
            "As a CRITICAL event would find it now",
        ),
        **_PROBLEMS,
    }
}

REVOKE: dict[str, Any] = {
    "responses": {200: _json({"user_id": _ID, "revoked_at": _MS}, "Signed out everywhere"), **_PROBLEMS}
}

LINK: dict[str, Any] = {
    "responses": {
        201: _json(
            {"url": {"type": "string", "format": "uri"}, "expires_at": _MS}, "Good once, for ten minutes"
        ),
        **_PROBLEMS,
        409: {"description": "There is no bot here", "content": {"application/problem+json": {}}},
        429: {"description": "Too many links; Retry-After", "content": {"application/problem+json": {}}},
        503: {"description": "Telegram is away; Retry-After", "content": {"application/problem+json": {}}},
    }
}

_ERASURE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "erasure": {"type": "string", "format": "uuid"},
        "reference": {"type": "string", "description": "What stands for the person from now on."},
        "state": {"type": "string", "enum": ["running", "done"]},
        "requested_at": _MS,
        "finished_at": {**_MS, "type": ["integer", "null"]},
    },
}


def _whole(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


_RUNNING = "Nothing more is sent; the rest is erased in the background: ask GET /erasures/{id}"
ERASE: dict[str, Any] = {
    "responses": {200: _whole(_ERASURE, "Erased"), 202: _whole(_ERASURE, _RUNNING), **_PROBLEMS}
}
ERASURE: dict[str, Any] = {"responses": {200: _whole(_ERASURE, "How far it is"), **_PROBLEMS}}
_OBJECTS = {"type": "array", "items": {"type": "object"}}
EXPORT: dict[str, Any] = {
    "responses": {
        200: _whole(
            {
                "type": "object",
                "properties": {
                    "person": {"type": "object"},
                    "preferences": {"type": "object"},
                    "topics": {"type": "array", "items": {"type": "string"}},
                    "sign_ins": _OBJECTS,
                    "events": _OBJECTS,
                    "next_cursor": {"type": ["integer", "null"]},
                },
            },
            "The person, and a page of their events with payload, words, deliveries and marks",
        ),
        **_PROBLEMS,
    }
}
