"""`/callback`: where a source gets its final acks by HTTP, and the secret that signs them."""

from typing import Annotated, Any

from asgiref.sync import sync_to_async
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router
from pydantic import Field as Description
from typing_extensions import TypedDict

from gateway.api.bodies import json_body
from gateway.api.openapi.bodies import body
from gateway.api.shown import Milliseconds, ms_or_none
from gateway.auth.bearer import SourceKey
from gateway.codec.limits import InvalidEvent
from gateway.codec.people import checked_object
from gateway.codec.problems import problem
from gateway.codec.schema import Field, Kind, text
from notifications.live.frames import to_ms
from notifications.models import CallbackMessage
from runtime.postgres import clock
from runtime.postgres.commits import commits_noticed
from runtime.public_http import NotPublic
from users.models import Callback
from users.sources import callbacks

router = Router(auth=SourceKey("admin"))


class CallbackAnswer(TypedDict):
    """`failing_since`: no call has succeeded since. Until `old_secret_until` the old secret signs too."""

    url: str
    owner_email: str
    created_at: Milliseconds
    failing_since: Milliseconds | None
    disabled_at: Milliseconds | None
    disabled_reason: str
    old_secret_until: Milliseconds | None
    waiting: Annotated[int, Description(description="Acks that are not taken yet.")]
    given_up: Annotated[int, Description(description="Acks of the last 30 days whose tries have ended.")]
    last_error: str


class NewSecret(CallbackAnswer):
    secret: Annotated[str, Description(description="It is shown only now.")]


# --- what is sent ---------------------------------------------------------------------------------------
def _check_url(value: Any, field: str) -> str:
    url: str = text(500).check(value, field)
    try:
        callbacks.check_url(url)
    except NotPublic as error:
        raise InvalidEvent("url_not_allowed", str(error), field) from error
    return url


def _check_email(value: Any, field: str) -> str:
    email: str = text(254).check(value, field)
    try:
        if email:
            validate_email(email)
    except ValidationError as error:
        raise InvalidEvent("invalid_address", "This is no e-mail address.", field) from error
    return email


_PUT = (
    Field("url", Kind(_check_url, {"type": "string", "maxLength": 500}, str), "where acks go", required=True),
    Field(
        "owner_email",
        Kind(_check_email, {"type": "string", "format": "email"}, str),
        "who is notified when the callback is switched off",
    ),
)


# --- the calls ------------------------------------------------------------------------------------------
@router.get("", response=CallbackAnswer, summary="The callback of your source")
async def get_callback(request: HttpRequest) -> HttpResponse:
    """Return where final acks go, and how the calls fare; never the secret."""
    return await sync_to_async(_got)(_source(request))


def _got(source_id: int) -> HttpResponse:
    callback = Callback.objects.filter(source=source_id).first()
    return _none() if callback is None else JsonResponse(_shown(callback))


@router.put(
    "",
    response={200: CallbackAnswer, 201: NewSecret},
    openapi_extra=body("CallbackRequest", _PUT, {"url": "https://hooks.example.com/acks"}),
    summary="Set the callback, or switch it on again",
)
async def put_callback(request: HttpRequest) -> HttpResponse:
    """Set the URL. The secret is in the answer that creates the callback, and shown only then."""
    return await sync_to_async(_put)(request, _source(request))


@commits_noticed()
def _put(request: HttpRequest, source_id: int) -> HttpResponse:
    given = checked_object(_PUT, json_body(request), "")
    with transaction.atomic():
        created = {"secret": callbacks.new_secret(), **given}
        callback, is_new = Callback.objects.select_for_update().get_or_create(
            source_id=source_id, defaults=created
        )
        if not is_new:
            for name, value in given.items():
                setattr(callback, name, value)
            callback.save(update_fields=list(given))
            callbacks.enable(callback)
    return _with_secret(callback, status=201) if is_new else JsonResponse(_shown(callback))


@router.post("/rotate", response=NewSecret, summary="Rotate the callback's secret")
async def rotate_secret(request: HttpRequest) -> HttpResponse:
    """Make another secret. For 24 hours each call has a signature by either."""
    return await sync_to_async(_rotated)(_source(request))


@commits_noticed()
def _rotated(source_id: int) -> HttpResponse:
    with transaction.atomic():
        callback = Callback.objects.select_for_update().filter(source=source_id).first()
        if callback is None:
            return _none()
        callbacks.rotate_secret(callback, now=clock.now())
    return _with_secret(callback, status=200)


@router.delete("", response={204: None}, summary="Remove the callback")
async def delete_callback(request: HttpRequest) -> HttpResponse:
    """Send no further final acks, and forget those that wait."""
    return await sync_to_async(_deleted)(_source(request))


@commits_noticed()
def _deleted(source_id: int) -> HttpResponse:
    count, _ = Callback.objects.filter(source=source_id).delete()
    CallbackMessage.objects.filter(source=source_id, next_at__isnull=False).update(next_at=None)
    return HttpResponse(status=204) if count else _none()


# --- answering ------------------------------------------------------------------------------------------
def _source(request: HttpRequest) -> int:
    return int(request.auth.source_id)  # type: ignore[attr-defined]


def _none() -> HttpResponse:
    answer: HttpResponse = problem("not_found", "Your source has no callback: PUT /api/v1/callback sets one.")
    return answer


def _shown(callback: Callback) -> CallbackAnswer:
    messages = CallbackMessage.objects.filter(source=callback.source_id)
    failed = messages.exclude(last_error="").filter(delivered_at=None)
    return {
        "url": callback.url,
        "owner_email": callback.owner_email,
        "created_at": to_ms(callback.created_at),
        "failing_since": ms_or_none(callback.failing_since),
        "disabled_at": ms_or_none(callback.disabled_at),
        "disabled_reason": callback.disabled_reason,
        "old_secret_until": ms_or_none(callback.old_secret_until),
        "waiting": messages.filter(next_at__isnull=False).count(),
        "given_up": failed.filter(next_at=None).count(),
        "last_error": failed.values_list("last_error", flat=True).first() or "",
    }


def _with_secret(callback: Callback, *, status: int) -> HttpResponse:
    answer: NewSecret = {**_shown(callback), "secret": callback.secret}
    return JsonResponse(answer, status=status, headers={"Cache-Control": "no-store"})
