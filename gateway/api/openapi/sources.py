"""What the OpenAPI document says of the calls about a source itself."""

from typing import Any

from users.models import ApiKey

_MS: dict[str, Any] = {"type": "integer", "description": "Unix milliseconds."}
_MS_OR_NULL: dict[str, Any] = {**_MS, "type": ["integer", "null"]}
_SCOPES = {"type": "array", "items": {"type": "string", "enum": list(ApiKey.SCOPES)}}
_NAME = {"type": "string", "maxLength": 100, "description": "Where the key is used."}
_PROBLEMS = {
    status: {"description": text, "content": {"application/problem+json": {}}}
    for status, text in {
        401: "Key missing, unknown, expired or revoked",
        403: "The key lacks the scope",
        404: "Your source has none",
        422: "Invalid, with field and reason",
    }.items()
}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _answer(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _body(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    schema = {**_object(properties), "additionalProperties": False, "required": list(required)}
    return {"required": bool(required), "content": {"application/json": {"schema": schema}}}


_KEY = {
    "prefix": {"type": "string"},
    "name": _NAME,
    "scopes": _SCOPES,
    "created_at": _MS,
    "last_used_at": {**_MS_OR_NULL, "description": "To within five minutes; null: never."},
    "expires_at": _MS_OR_NULL,
}
_NEW_KEY = {**_KEY, "key": {"type": "string", "description": "Shown only now."}}

LIST: dict[str, Any] = {
    "responses": {200: _answer("The live keys", _object({"keys": {"type": "array", "items": _object(_KEY)}}))}
}
ISSUE: dict[str, Any] = {
    "requestBody": _body({"name": _NAME, "scopes": _SCOPES, "expires_at": _MS_OR_NULL}, "scopes"),
    "responses": {201: _answer("The new key", _object(_NEW_KEY)), **_PROBLEMS},
}
ROTATE: dict[str, Any] = {
    "requestBody": _body({"overlap_s": {"type": "integer", "maximum": 2_592_000, "default": 86_400}}),
    "responses": {
        201: _answer("The successor", _object({**_NEW_KEY, "replaces": _object(_KEY)})),
        **_PROBLEMS,
    },
}
REVOKE: dict[str, Any] = {"responses": {204: {"description": "Revoked"}, **_PROBLEMS}}
