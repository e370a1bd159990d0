"""`/keys`: a source's own API keys: issued, rotated and revoked by one that has the scope `admin`."""

from datetime import UTC, datetime, timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router

from gateway.api.bodies import json_body
from gateway.api.openapi import sources as documented
from gateway.auth.bearer import AuthFailed, SourceKey
from gateway.codec.limits import InvalidEvent, check_integer, check_text, check_time
from gateway.codec.problems import problem
from notifications.live.frames import to_ms
from runtime.postgres import clock
from runtime.postgres.commits import commits_noticed
from users import keys
from users.keys import LiveKey
from users.models import ApiKey, Source

router = Router(auth=SourceKey("admin"))

_OVERLAP_S = 30 * 86_400  # at most
_NOT_HERE = "Your source has no live key with this prefix; GET /api/v1/keys lists them."


@router.get("", openapi_extra=documented.LIST, summary="The API keys of your source")
async def list_keys(request: HttpRequest) -> HttpResponse:
    """Return the live keys, the newest first, never their secrets."""
    return await sync_to_async(_listed)(_caller(request))


def _listed(caller: LiveKey) -> HttpResponse:
    live = _live(caller.source_id, clock.now())
    return JsonResponse({"keys": [_shown(key) for key in live.order_by("-created_at", "-pk")]})


@router.post("", openapi_extra=documented.ISSUE, summary="Issue an API key")
async def issue_key(request: HttpRequest) -> HttpResponse:
    """Issue a key of your source. It can do at most what the calling key can. Its text is shown only now."""
    return await sync_to_async(_issued)(request, _caller(request))


@commits_noticed()
def _issued(request: HttpRequest, caller: LiveKey) -> HttpResponse:
    body = _body(request, "name", "scopes", "expires_at")
    source = Source.objects.get(pk=caller.source_id)
    made = keys.issue(
        source, _scopes(body, caller), note=_name(body), expires_at=_time_ahead(body, clock.now())
    )
    return _with_key(made)


@router.post("/{prefix}/rotate", openapi_extra=documented.ROTATE, summary="Rotate an API key")
async def rotate_key(request: HttpRequest, prefix: str) -> HttpResponse:
    """Issue a successor with the same name and scopes; the old key ends after `overlap_s`."""
    return await sync_to_async(_rotated)(request, prefix, _caller(request))


@commits_noticed()
def _rotated(request: HttpRequest, prefix: str, caller: LiveKey) -> HttpResponse:
    body = _body(request, "overlap_s") if request.body else {}
    overlap_s = int(keys.OVERLAP.total_seconds())
    if "overlap_s" in body:
        overlap_s = check_integer(body["overlap_s"], "overlap_s", highest=_OVERLAP_S)
    if _find(prefix, caller) is None:
        return problem("not_found", _NOT_HERE)
    try:
        made = keys.rotate(prefix, overlap=timedelta(seconds=overlap_s), now=clock.now())
    except keys.NotLive:
        return problem("not_found", _NOT_HERE)
    old = ApiKey.objects.get(prefix=prefix)
    return _with_key(made, replaces=_shown(old))


@router.delete("/{prefix}", openapi_extra=documented.REVOKE, summary="Revoke an API key")
async def revoke_key(request: HttpRequest, prefix: str) -> HttpResponse:
    """Revoke a key at once, also the calling one."""
    return await sync_to_async(_revoked)(prefix, _caller(request))


@commits_noticed()
def _revoked(prefix: str, caller: LiveKey) -> HttpResponse:
    key = _find(prefix, caller)
    if key is None:
        return problem("not_found", _NOT_HERE)
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=clock.now())
    return HttpResponse(status=204)


# --- understanding --------------------------------------------------------------------------------------
def _caller(request: HttpRequest) -> LiveKey:
    key: LiveKey = request.auth  # type: ignore[attr-defined]
    return key


def _live(source_id: int, now: datetime) -> Any:
    unexpired = Q(expires_at=None) | Q(expires_at__gt=now)
    return ApiKey.objects.filter(unexpired, source=source_id, revoked_at=None)


def _find(prefix: str, caller: LiveKey) -> ApiKey | None:
    key: ApiKey | None = None
    if "\0" not in prefix:
        key = _live(caller.source_id, clock.now()).filter(prefix=prefix).first()
    return key


def _body(request: HttpRequest, *known: str) -> dict[str, Any]:
    body = json_body(request)
    for name in body:
        if name not in known:
            raise InvalidEvent("unknown_field", f"Known are {', '.join(known)}.", str(name)[:60])
    return body


def _name(body: dict[str, Any]) -> str:
    value = body.get("name", "")
    if not isinstance(value, str):
        raise InvalidEvent("not_a_string", "Send text.", "name")
    return check_text(value, "name", longest=100)


def _scopes(body: dict[str, Any], caller: LiveKey) -> list[str]:
    given = body.get("scopes")
    if not isinstance(given, list) or not given:
        raise InvalidEvent("missing_field", f"A list with some of {', '.join(ApiKey.SCOPES)}.", "scopes")
    may = set(caller.scopes) | {"people"}  # `admin` includes it
    for scope in given:
        if scope not in ApiKey.SCOPES:
            raise InvalidEvent("unknown_value", f"One of {', '.join(ApiKey.SCOPES)}.", "scopes")
        if scope not in may:
            detail = f"The calling key lacks the scope {scope}: ask the operator for a key with it."
            raise AuthFailed("missing_scope", detail)
    return list(dict.fromkeys(given))


def _time_ahead(body: dict[str, Any], now: datetime) -> datetime | None:
    if body.get("expires_at") is None:
        return None
    at = datetime.fromtimestamp(check_time(body["expires_at"], "expires_at") / 1000, UTC)
    if at <= now:
        raise InvalidEvent("out_of_range", "Give a time in the future.", "expires_at")
    return at


# --- answering ------------------------------------------------------------------------------------------
def _shown(key: ApiKey) -> dict[str, Any]:
    return {
        "prefix": key.prefix,
        "name": key.note,
        "scopes": key.scopes,
        "created_at": to_ms(key.created_at),
        "last_used_at": to_ms(key.last_used_at) if key.last_used_at else None,
        "expires_at": to_ms(key.expires_at) if key.expires_at else None,
    }


def _with_key(made: str, **more: Any) -> HttpResponse:
    """Return the one answer that has the key's text."""
    key = ApiKey.objects.get(prefix=made.split("_")[1])
    answer = JsonResponse({**_shown(key), "key": made, **more}, status=201)
    answer["Cache-Control"] = "no-store"
    return answer
