"""`/hooks`: the addresses to which other systems post, with their tokens."""

from datetime import timedelta
from typing import Annotated, Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router
from pydantic import Field as Description
from typing_extensions import TypedDict

from gateway.api.bodies import json_body
from gateway.api.openapi.bodies import body
from gateway.api.shown import Milliseconds, ms_or_none
from gateway.auth.bearer import SourceKey
from gateway.codec.limits import API, InvalidEvent
from gateway.codec.people import checked_object
from gateway.codec.problems import problem
from gateway.codec.schema import Field, Kind, integer, text
from gateway.normalizers.registry import NORMALIZERS, normalizer
from notifications.live.frames import to_ms
from runtime.postgres import clock
from runtime.postgres.commits import commits_noticed
from users import hooks
from users.keys import LiveKey
from users.models import Hook

router = Router(auth=SourceKey("admin"))

_PREVIOUS_MAX_S = 30 * 86_400


class HookAnswer(TypedDict):
    id: int
    normalizer: str
    options: dict[str, Any]
    note: str
    enabled: bool
    created_at: Milliseconds
    rotated_at: Milliseconds | None


class Hooks(TypedDict):
    hooks: list[HookAnswer]


class HookToken(TypedDict):
    token: Annotated[str, Description(description="Shown only now.")]
    url: Annotated[str, Description(description="Where to post; it has the token.")]


class NewHook(HookAnswer, HookToken):
    pass


# --- what is sent ---------------------------------------------------------------------------------------
def _check_normalizer(given: Any, field: str) -> str:
    return normalizer(given if isinstance(given, str) else "").name


def _check_object(given: Any, field: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise InvalidEvent("not_an_object", "Send a JSON object.", field)
    return given


def _check_flag(given: Any, field: str) -> bool:
    if not isinstance(given, bool):
        raise InvalidEvent("not_a_flag", "Send true or false.", field)
    return given


_PREVIOUS_FOR_S = int(hooks.PREVIOUS_FOR.total_seconds())
_CHANGE = (
    Field("options", Kind(_check_object, {"type": "object"}, lambda: None), "what the format leaves open"),
    Field("note", Kind(text(100).check, text(100).schema, lambda: None), "what posts to it"),
    Field("enabled", Kind(_check_flag, {"type": "boolean"}, lambda: None), "false: nothing is taken"),
)
_CREATE = (
    Field(
        "normalizer",
        Kind(_check_normalizer, {"type": "string", "enum": list(NORMALIZERS)}, str),
        "the format of what is posted",
        required=True,
    ),
    *_CHANGE,
)
_ROTATE = (
    Field(
        "previous_for_s",
        Kind(integer(_PREVIOUS_MAX_S).check, integer(_PREVIOUS_MAX_S).schema, lambda: _PREVIOUS_FOR_S),
        "so long the old token is good too; a day if it is not given",
    ),
)
_EXAMPLE = {"normalizer": "alertmanager", "note": "cluster 1", "options": {"to": {"group": "oncall"}}}


# --- the calls ------------------------------------------------------------------------------------------


@router.get("", response=Hooks, summary="The source's hooks")
async def list_hooks(request: HttpRequest) -> HttpResponse:
    """Return the hooks, without their tokens."""
    found = await sync_to_async(lambda: [_shown(hook) for hook in _own(request).order_by("pk")])()
    return JsonResponse({"hooks": found})


@router.post(
    "", response={201: NewHook}, openapi_extra=body("HookRequest", _CREATE, _EXAMPLE), summary="A new hook"
)
async def create_hook(request: HttpRequest) -> HttpResponse:
    """Create a hook that posts as this source. Its token is in this answer alone."""
    return await sync_to_async(_create)(request)


@router.get("/{int:hook_id}", response=HookAnswer, summary="A hook")
async def get_hook(request: HttpRequest, hook_id: int) -> HttpResponse:
    """Return the hook, without its token."""
    hook = await _own(request).filter(pk=hook_id).afirst()
    return _not_found() if hook is None else JsonResponse(_shown(hook))


@router.patch(
    "/{int:hook_id}",
    response=HookAnswer,
    openapi_extra=body("HookChange", _CHANGE, {"enabled": False}),
    summary="Change a hook",
)
async def change_hook(request: HttpRequest, hook_id: int) -> HttpResponse:
    """Change its options or note, or switch it off or on."""
    return await sync_to_async(_change)(request, hook_id)


@router.delete("/{int:hook_id}", response={204: None}, summary="Delete a hook")
async def delete_hook(request: HttpRequest, hook_id: int) -> HttpResponse:
    """Delete the hook: its token is refused from now on."""
    return await sync_to_async(_delete)(request, hook_id)


@router.put(
    "/{int:hook_id}/token",
    response=HookToken,
    openapi_extra=body("HookRotation", _ROTATE, {"previous_for_s": 3600}, required=False),
    summary="A new token for a hook",
)
async def rotate_token(request: HttpRequest, hook_id: int) -> HttpResponse:
    """Return a new token. The one before is good for a day more, or for `previous_for_s`."""
    return await sync_to_async(_rotate)(request, hook_id)


def _own(request: HttpRequest) -> QuerySet[Hook]:
    key: LiveKey = request.auth  # type: ignore[attr-defined]
    return Hook.objects.filter(source_id=key.source_id)


def _not_found() -> HttpResponse:
    return problem("not_found", "This source has no hook with this id; GET /hooks lists them.")


@commits_noticed()
def _create(request: HttpRequest) -> HttpResponse:
    asked = checked_object(_CREATE, json_body(request), "")
    key: LiveKey = request.auth  # type: ignore[attr-defined]
    hook = Hook(source_id=key.source_id, normalizer=asked.pop("normalizer"))
    _set(hook, asked)
    normalizer(hook.normalizer).check_options(hook.options)
    token = hooks.issue(hook)
    made: NewHook = {**_shown(hook), **_token(hook, token)}
    return JsonResponse(made, status=201, headers={"Cache-Control": "no-store"})


@commits_noticed()
def _change(request: HttpRequest, hook_id: int) -> HttpResponse:
    asked = checked_object(_CHANGE, json_body(request), "")
    hook = _own(request).filter(pk=hook_id).first()
    if hook is None:
        return _not_found()
    _set(hook, asked)
    normalizer(hook.normalizer).check_options(hook.options)
    hook.save(update_fields=["options", "note", "enabled"])
    return JsonResponse(_shown(hook))


def _set(hook: Hook, asked: dict[str, Any]) -> None:
    for name, value in asked.items():
        if value is not None:
            setattr(hook, name, value)


@commits_noticed()
def _delete(request: HttpRequest, hook_id: int) -> HttpResponse:
    count, _ = _own(request).filter(pk=hook_id).delete()
    return HttpResponse(status=204) if count else _not_found()


@commits_noticed()
def _rotate(request: HttpRequest, hook_id: int) -> HttpResponse:
    asked = checked_object(_ROTATE, json_body(request) if request.body else {}, "")
    previous_for = timedelta(seconds=asked["previous_for_s"])
    hook = _own(request).filter(pk=hook_id).first()
    if hook is None:
        return _not_found()
    token = hooks.rotate(hook, now=clock.now(), previous_for=previous_for)
    return JsonResponse(_token(hook, token), headers={"Cache-Control": "no-store"})


# --- answering ------------------------------------------------------------------------------------------
def _shown(hook: Hook) -> HookAnswer:
    return {
        "id": hook.pk,
        "normalizer": hook.normalizer,
        "options": hook.options,
        "note": hook.note,
        "enabled": hook.enabled,
        "created_at": to_ms(hook.created_at),
        "rotated_at": ms_or_none(hook.rotated_at),
    }


def _token(hook: Hook, token: str) -> HookToken:
    """Return the token, and where to post with it."""
    return {"token": token, "url": url_of(hook, token)}


def url_of(hook: Hook, token: str) -> str:
    return f"{settings.TOCSIN_PUBLIC_URL.rstrip('/')}{API}/hooks/{hook.normalizer}/{token}"
