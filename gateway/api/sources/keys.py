"""`/keys`: a source's own API keys: issued, rotated and revoked by one that has the scope `admin`."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from asgiref.sync import sync_to_async
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router
from pydantic import Field as Description
from typing_extensions import TypedDict

from gateway.api.bodies import json_body
from gateway.api.openapi.bodies import body
from gateway.api.shown import Milliseconds, ms_or_none
from gateway.auth.bearer import AuthFailed, SourceKey
from gateway.codec.limits import InvalidEvent, check_time
from gateway.codec.people import check_boolean, checked_object
from gateway.codec.problems import problem
from gateway.codec.schema import Field, Kind, integer, text
from notifications.live.frames import to_ms
from runtime.postgres import clock
from runtime.postgres.commits import commits_noticed
from users import keys
from users.keys import LiveKey
from users.models import ApiKey, Source

router = Router(auth=SourceKey("admin"))

_OVERLAP_S = 30 * 86_400  # at most
_NOT_HERE = "Your source has no live key with this prefix; GET /api/v1/keys lists them."


class KeyAnswer(TypedDict):
    """`last_used_at` is exact to within five minutes; null: never."""

    prefix: str
    name: str
    scopes: list[str]
    test: bool
    created_at: Milliseconds
    last_used_at: Milliseconds | None
    expires_at: Milliseconds | None


class Keys(TypedDict):
    keys: list[KeyAnswer]


class NewKey(KeyAnswer):
    key: Annotated[str, Description(description="Its text, which is shown only now.")]


class RotatedKey(NewKey):
    replaces: KeyAnswer


# --- what is sent ---------------------------------------------------------------------------------------
def _check_scopes(given: Any, field: str) -> list[str]:
    if not isinstance(given, list) or not given:
        raise InvalidEvent("missing_field", f"A list with some of {', '.join(ApiKey.SCOPES)}.", field)
    for scope in given:
        if scope not in ApiKey.SCOPES:
            raise InvalidEvent("unknown_value", f"One of {', '.join(ApiKey.SCOPES)}.", field)
    return list(dict.fromkeys(given))


def _check_moment(value: Any, field: str) -> datetime:
    return datetime.fromtimestamp(check_time(value, field) / 1000, UTC)


_SCOPES = {"type": "array", "minItems": 1, "items": {"type": "string", "enum": list(ApiKey.SCOPES)}}
_ISSUE = (
    Field("name", text(100), "where the key is used"),
    Field("scopes", Kind(_check_scopes, _SCOPES, list), "what it may do", required=True),
    Field("test", Kind(check_boolean, {"type": "boolean"}, bool), "a key whose events are simulated"),
    Field(
        "expires_at",
        Kind(_check_moment, {"type": "integer", "minimum": 0}, lambda: None),
        "when it ends, in Unix milliseconds; without it: not by itself",
    ),
)
_ROTATE = (
    Field(
        "overlap_s",
        Kind(
            integer(_OVERLAP_S).check, integer(_OVERLAP_S).schema, lambda: int(keys.OVERLAP.total_seconds())
        ),
        "so long the old key goes on; a day if it is not given",
    ),
)


# --- the calls ------------------------------------------------------------------------------------------
@router.get("", response=Keys, summary="The API keys of your source")
async def list_keys(request: HttpRequest) -> HttpResponse:
    """Return the live keys, the newest first, never their secrets."""
    return await sync_to_async(_listed)(_caller(request))


def _listed(caller: LiveKey) -> HttpResponse:
    live = _live(caller.source_id, clock.now())
    return JsonResponse({"keys": [_shown(key) for key in live.order_by("-created_at", "-pk")]})


@router.post(
    "",
    response={201: NewKey},
    openapi_extra=body("KeyRequest", _ISSUE, {"name": "billing", "scopes": ["publish"]}),
    summary="Issue an API key",
)
async def issue_key(request: HttpRequest) -> HttpResponse:
    """Issue a key of your source. It can do at most what the calling key can. Its text is shown only now."""
    return await sync_to_async(_issued)(request, _caller(request))


@commits_noticed()
def _issued(request: HttpRequest, caller: LiveKey) -> HttpResponse:
    asked = checked_object(_ISSUE, json_body(request), "")
    _may_give(caller, asked["scopes"])
    expires_at = asked["expires_at"]
    if expires_at is not None and expires_at <= clock.now():
        raise InvalidEvent("out_of_range", "Give a time in the future.", "expires_at")
    source = Source.objects.get(pk=caller.source_id)
    made = keys.issue(source, asked["scopes"], note=asked["name"], expires_at=expires_at, test=asked["test"])
    return _once(_with_key(made))


def _may_give(caller: LiveKey, scopes: list[str]) -> None:
    for scope in scopes:
        if scope not in {*caller.scopes, "people"}:  # `admin` includes it
            detail = f"The calling key lacks the scope {scope}: ask the operator for a key with it."
            raise AuthFailed("missing_scope", detail)


@router.post(
    "/{prefix}/rotate",
    response={201: RotatedKey},
    openapi_extra=body("KeyRotation", _ROTATE, {"overlap_s": 86_400}, required=False),
    summary="Rotate an API key",
)
async def rotate_key(request: HttpRequest, prefix: str) -> HttpResponse:
    """Issue a successor with the same name and scopes; the old key ends after `overlap_s`."""
    return await sync_to_async(_rotated)(request, prefix, _caller(request))


@commits_noticed()
def _rotated(request: HttpRequest, prefix: str, caller: LiveKey) -> HttpResponse:
    asked = checked_object(_ROTATE, json_body(request) if request.body else {}, "")
    if _find(prefix, caller) is None:
        return problem("not_found", _NOT_HERE)
    try:
        made = keys.rotate(prefix, overlap=timedelta(seconds=asked["overlap_s"]), now=clock.now())
    except keys.NotLive:
        return problem("not_found", _NOT_HERE)
    old = ApiKey.objects.get(prefix=prefix)
    rotated: RotatedKey = {**_with_key(made), "replaces": _shown(old)}
    return _once(rotated)


@router.delete("/{prefix}", response={204: None}, summary="Revoke an API key")
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


# --- answering ------------------------------------------------------------------------------------------
def _shown(key: ApiKey) -> KeyAnswer:
    return {
        "prefix": key.prefix,
        "name": key.note,
        "scopes": key.scopes,
        "test": key.test,
        "created_at": to_ms(key.created_at),
        "last_used_at": ms_or_none(key.last_used_at),
        "expires_at": ms_or_none(key.expires_at),
    }


def _with_key(made: str) -> NewKey:
    return {**_shown(ApiKey.objects.get(prefix=made.split("_")[1])), "key": made}


def _once(answer: NewKey) -> HttpResponse:
    """Return the one answer that has the key's text."""
    return JsonResponse(answer, status=201, headers={"Cache-Control": "no-store"})
