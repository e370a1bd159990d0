"""`/users/{id}/preferences`: what a person wishes. Each section is read and replaced as a whole."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router

from gateway.api import openapi_profiles
from gateway.api.bodies import json_body
from gateway.api.profiles import SCOPES
from gateway.api.shown import not_found
from gateway.auth.callers import Caller, KeyOrPerson, person_meant
from gateway.codec import wishes
from gateway.codec.people import checked_object
from notifications.states import Channel
from runtime.postgres.commits import commits_noticed
from users.models import User
from users.people.preferences import channels_of, set_channels

router = Router(auth=KeyOrPerson(*SCOPES))


@dataclass(frozen=True, slots=True)
class Section:
    """One member of the document. `wishes.PREFERENCES` has its field, under the same name."""

    read: Callable[[User], Any]
    write: Callable[[User, Any], None]


def _channels(person: User) -> list[dict[str, Any]]:
    return [
        {"channel": Channel(wish.channel).name, "event_type": wish.event_type, "enabled": wish.enabled}
        for wish in channels_of(person)
    ]


SECTIONS = {"channels": Section(_channels, set_channels)}


@router.get("/{external_id}/preferences", summary="A person's preferences")
async def get_preferences(request: HttpRequest, external_id: str) -> HttpResponse:
    """Return every section. People ask for their own as `me`."""
    return await sync_to_async(_answer)(request.auth, external_id)  # type: ignore[attr-defined]


@router.put(
    "/{external_id}/preferences",
    openapi_extra=openapi_profiles.PREFERENCES,
    summary="Set a person's preferences",
)
async def put_preferences(request: HttpRequest, external_id: str) -> HttpResponse:
    """Replace the sections that are named, and keep the others. Idempotent."""
    return await sync_to_async(_replaced)(request, external_id)


@commits_noticed()
def _replaced(request: HttpRequest, external_id: str) -> HttpResponse:
    caller: Caller = request.auth  # type: ignore[attr-defined]
    person = person_meant(caller, external_id)
    if person is None:
        return not_found()
    for name, value in checked_object(wishes.PREFERENCES, json_body(request), "").items():
        if value is not None:
            SECTIONS[name].write(person, value)
    return _answer(caller, external_id)


def _answer(caller: Caller, external_id: str) -> HttpResponse:
    person = person_meant(caller, external_id)
    if person is None:
        return not_found()
    return JsonResponse({name: section.read(person) for name, section in SECTIONS.items()})
