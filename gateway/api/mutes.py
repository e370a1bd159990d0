"""`/users/{id}/mutes`: nothing of a type, of a group or at all until a time, or until it is lifted."""

from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router
from typing_extensions import TypedDict

from gateway.api.bodies import json_body
from gateway.api.openapi.bodies import body
from gateway.api.preferences import MuteWished, look_again, mute_json
from gateway.api.profiles import SCOPES
from gateway.api.shown import not_found
from gateway.auth.callers import Caller, KeyOrPerson, acting_as, person_meant
from gateway.codec.limits import InvalidEvent
from gateway.codec.people import checked_object
from gateway.codec.wishes import MUTE
from notifications.routing.stored_rules import read_policy
from runtime.postgres import clock
from runtime.postgres.commits import commits_noticed
from users.models import Mute, User
from users.people import preferences
from users.people.preferences import MuteWish
from users.people.values import Rejected, Remark

router = Router(auth=KeyOrPerson(*SCOPES))


class StoredMute(MuteWished):
    id: int


class Mutes(TypedDict):
    mutes: list[StoredMute]


@router.get("/{external_id}/mutes", response=Mutes, summary="What a person has muted")
async def get_mutes(request: HttpRequest, external_id: str) -> HttpResponse:
    """Return the mutes that have not ended. People ask for their own as `me`."""
    return await sync_to_async(_mutes)(request.auth, external_id)  # type: ignore[attr-defined]


@router.post(
    "/{external_id}/mutes",
    response={201: StoredMute},
    openapi_extra=body("MuteRequest", MUTE, {"group": "prices", "until": 1795248734000}, required=False),
    summary="Mute",
)
async def post_mute(request: HttpRequest, external_id: str) -> HttpResponse:
    """Mute a type, a group or everything. It takes the place of a mute of the same."""
    return await sync_to_async(_mute)(request, external_id)


@router.delete("/{external_id}/mutes/{mute_id}", response={204: None}, summary="Lift a mute")
async def delete_mute(request: HttpRequest, external_id: str, mute_id: int) -> HttpResponse:
    """Lift a mute before its time."""
    return await sync_to_async(_lift)(request, external_id, mute_id)


def _shown(mute: Mute) -> StoredMute:
    return {"id": mute.pk, **mute_json(mute)}


def _mutes(caller: Caller, external_id: str) -> HttpResponse:
    person = person_meant(caller, external_id)
    if person is None:
        return not_found()
    return JsonResponse({"mutes": [_shown(one) for one in preferences.mutes_of(person, now=clock.now())]})


@commits_noticed()
def _mute(request: HttpRequest, external_id: str) -> HttpResponse:
    person = person_meant(request.auth, external_id)  # type: ignore[attr-defined]
    if person is None:
        return not_found()
    body = json_body(request) if request.body else {}
    return JsonResponse(_shown(mute(person, body, by=request.auth)), status=201)  # type: ignore[attr-defined]


def mute(person: User, body: dict[str, Any], *, by: Caller) -> Mute:
    """Mute what the body of the call names. Raises: `InvalidEvent`, `Rejected`."""
    wish = MuteWish(**checked_object(MUTE, body, ""))
    if wish.until is not None and wish.until <= clock.now():
        raise InvalidEvent("until_has_passed", "Name a time to come, in Unix milliseconds.", "until")
    group = wish.group or (read_policy().group_of(wish.event_type) if wish.event_type else None)
    if group is not None and group.mandatory:
        detail = f"The group {group.name} is mandatory: its events cannot be muted."
        raise Rejected(Remark("mandatory", detail, "group" if wish.group else "event_type"))
    with acting_as(by):
        made = preferences.mute(person, wish)
    look_again(person)
    return made


@commits_noticed()
def _lift(request: HttpRequest, external_id: str, mute_id: int) -> HttpResponse:
    person = person_meant(request.auth, external_id)  # type: ignore[attr-defined]
    if person is None:
        return not_found()
    lift(person, mute_id, by=request.auth)  # type: ignore[attr-defined]
    return HttpResponse(status=204)


def lift(person: User, mute_id: int, *, by: Caller) -> None:
    """Lift a mute. Raises: `Rejected`."""
    with acting_as(by):
        lifted = preferences.unmute(person, mute_id)
    if not lifted:
        raise Rejected(Remark("not_found", "There is no such mute; it may have been lifted already."))
    look_again(person)
