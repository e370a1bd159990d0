"""Errors as RFC 9457 problem documents, each with a machine-readable `code` and what to do."""

from collections.abc import Callable
from typing import Any, NotRequired

from django.http import JsonResponse
from typing_extensions import TypedDict

from gateway.codec.limits import InvalidEvent
from notifications.events import Ack
from runtime.postgres import clock

_STATUS = {
    "request_timeout": 408,
    "too_large": 413,
    "busy": 503,
    "conflict": 409,
    "forbidden_type": 403,
    "forbidden_priority": 403,
    "forbidden_topic": 403,
    "forbidden_user": 403,
    "forbidden_recipient": 403,
    "forbidden_verified": 403,
    "forbidden_group": 403,
    "opt_out_not_allowed": 403,
    "address_exists": 409,
    "disabled_by_person": 409,
    "unverified": 409,
    "inactive_user": 409,
    "unreadable": 409,
    "rate_limited": 429,
    "topic_forbidden": 403,
    "missing_key": 401,
    "invalid_key": 401,
    "invalid_token": 401,
    "missing_scope": 403,
    "test_key": 403,
    "csrf_failed": 403,
    "origin_not_allowed": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "not_signed_in": 401,
    "unsupported_media_type": 415,
    "unsupported_content_encoding": 415,
    "invalid_template": 422,
    "wrong_secret": 403,
    "too_many_links": 429,
    "too_many_codes": 429,
    "code_expired": 409,
    "already_verified": 409,
    "cannot_verify": 409,
    "address_refused": 409,
    "code_not_sent": 503,
    "channel_off": 409,
    "unavailable": 503,
    "commit_unknown": 503,
    "overloaded": 503,
    "quota_exceeded": 429,
    "too_many_open": 429,
}
_LATER = {"Retry-After": "5"}
_RETRY_AFTER_S: dict[str, Callable[[], int]] = {
    "overloaded": lambda: 15,
    "too_many_open": lambda: 15,
    "quota_exceeded": lambda: _until_midnight_s(),
}
LATER = frozenset(_RETRY_AFTER_S)  # nothing was accepted; the same event is, later


def _until_midnight_s() -> int:
    """Return the seconds until the next day begins, UTC."""
    now = clock.now()
    return 86_400 - (now.hour * 3_600 + now.minute * 60 + now.second)


class Problem(TypedDict):
    """A problem document of RFC 9457. Some codes add members of their own."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: NotRequired[str]
    event_id: NotRequired[str]


def problem(
    code: str, detail: str, *, status: int = 0, headers: dict[str, str] | None = None, **more: Any
) -> JsonResponse:
    """Return a problem document. `more` stands beside the standard members, empty ones left out."""
    status = status or _STATUS.get(code, 422)
    body: Problem = {
        "type": f"urn:tocsin:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "code": code,
    }
    added = {key: value for key, value in more.items() if value or value == 0}
    response = JsonResponse({**body, **added}, status=status, content_type="application/problem+json")
    for name, value in (retry_after(code) | (headers or {})).items():
        response[name] = value
    return response


def from_malformed(error: InvalidEvent) -> JsonResponse:
    return problem(error.code, error.detail, field=error.field, event_id=error.event_id)


def not_allowed(code: str, detail: str) -> JsonResponse:
    """Return the answer to a caller who is not known (401), or may not do this (403)."""
    if status_of(code) == 403:
        return problem(code, detail)
    return problem(code, detail, status=401, headers={"WWW-Authenticate": "Bearer"})


def from_ack(ack: Ack) -> JsonResponse:
    return problem(ack.code, ack.detail, field=ack.field, event_id=ack.event_id)


def retry_after(*codes: str) -> dict[str, str]:
    """Return the header for an answer with these codes, if one of them says to come back later."""
    waits_s = [_RETRY_AFTER_S[code]() for code in codes if code in _RETRY_AFTER_S]
    return {"Retry-After": str(max(waits_s))} if waits_s else {}


def status_of(code: str) -> int:
    return _STATUS.get(code, 422)


def unavailable(detail: str) -> JsonResponse:
    """Return the answer for a database that went away before it was to commit anything."""
    return problem("unavailable", detail, headers=_LATER)


def commit_unknown(detail: str) -> JsonResponse:
    """Return the answer for a database that went away when it was to commit: it may have done so."""
    return problem("commit_unknown", detail, headers=_LATER)
