"""`/users/{id}/preferences`: what a person wishes. Each section is read and replaced as a whole."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router
from typing_extensions import TypedDict

from gateway.api.bodies import json_body
from gateway.api.openapi.bodies import as_answer, described
from gateway.api.profiles import SCOPES
from gateway.api.shown import Milliseconds, not_found
from gateway.auth.callers import Caller, KeyOrPerson, acting_as, person_meant
from gateway.codec import wishes
from gateway.codec.people import checked_object
from gateway.codec.schema import object_schema
from notifications import dispatch, store
from notifications.live.frames import to_ms
from notifications.states import Channel, Priority
from runtime.postgres import clock
from runtime.postgres.commits import commits_noticed
from users.digest_modes import DigestMode
from users.models import EventGroup, Hours, Mute, User, Weekday
from users.people import preferences

router = Router(auth=KeyOrPerson(*SCOPES))


@dataclass(frozen=True, slots=True)
class Section:
    """One member of the document. `wishes.PREFERENCES` has its field, under the same name."""

    read: Callable[[User], Any]
    write: Callable[[User, Any], None]


class WishOf(TypedDict):
    """What a wish is for: a type, a group, or everything."""

    event_type: str
    group: str


class MuteWished(WishOf):
    until: Milliseconds | None


def _of(wish: Any) -> WishOf:
    return {"event_type": wish.event_type, "group": wish.group.name if wish.group else ""}


def _channels(person: User) -> list[dict[str, Any]]:
    return [
        {
            "channel": Channel(wish.channel).name,
            **_of(wish),
            "enabled": wish.enabled,
            "min_priority": Priority(wish.min_priority).name,
        }
        for wish in preferences.channels_of(person)
    ]


def mute_json(mute: Mute) -> MuteWished:
    return {**_of(mute), "until": None if mute.until is None else to_ms(mute.until)}


def _mutes(person: User) -> list[MuteWished]:
    return [mute_json(mute) for mute in preferences.mutes_of(person, now=clock.now())]


def _hours(kind: str, person: User) -> list[dict[str, Any]]:
    return [
        {
            "weekdays": [Weekday(day).name for day in wish.weekdays],
            "starts": f"{wish.starts:%H:%M}",
            "ends": f"{wish.ends:%H:%M}",
        }
        for wish in preferences.hours_of(person, kind)
    ]


def _throttles(person: User) -> list[dict[str, Any]]:
    return [
        {"at_most": wish.at_most, "per_s": wish.per_s, **_of(wish)}
        for wish in preferences.throttles_of(person)
    ]


def _digests(person: User) -> list[dict[str, Any]]:
    return [
        {
            "channel": Channel(wish.channel).name,
            "mode": DigestMode(wish.mode).name,
            **_of(wish),
            "period_s": wish.period_s,
            "times": [f"{one:%H:%M}" for one in wish.times],
            "weekdays": [Weekday(day).name for day in wish.weekdays],
        }
        for wish in preferences.digests_of(person)
    ]


def _not_piercing(person: User) -> list[str]:
    return [group.name for group in preferences.opted_out_of(person)]


SECTIONS = {
    "channels": Section(_channels, preferences.set_channels),
    "mutes": Section(_mutes, preferences.set_mutes),
    "quiet_hours": Section(partial(_hours, Hours.Kind.QUIET), preferences.set_hours(Hours.Kind.QUIET)),
    "send_windows": Section(partial(_hours, Hours.Kind.WINDOW), preferences.set_hours(Hours.Kind.WINDOW)),
    "throttles": Section(_throttles, preferences.set_throttles),
    "digests": Section(_digests, preferences.set_digests),
    "not_piercing": Section(_not_piercing, preferences.set_opted_out),
}


_PREFERENCES = object_schema(wishes.PREFERENCES, "Preferences")
Preferences = Annotated[dict[str, Any], as_answer(_PREFERENCES)]
_EXAMPLE = {
    "channels": [{"channel": "TELEGRAM"}, {"channel": "EMAIL", "min_priority": "CRITICAL"}],
    "quiet_hours": [{"starts": "22:00", "ends": "07:00"}],
}


@router.get("/{external_id}/preferences", response=Preferences, summary="A person's preferences")
async def get_preferences(request: HttpRequest, external_id: str) -> HttpResponse:
    """Return every section. People ask for their own as `me`."""
    return await sync_to_async(_answer)(request.auth, external_id)  # type: ignore[attr-defined]


@router.put(
    "/{external_id}/preferences",
    response=Preferences,
    openapi_extra=described(_PREFERENCES, _EXAMPLE),
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
    replace(person, json_body(request), by=caller)
    return _answer(caller, external_id)


def replace(person: User, body: dict[str, Any], *, by: Caller) -> None:
    """Replace the sections that the body of the call names. Raises: `InvalidEvent`."""
    given = checked_object(wishes.PREFERENCES, body, "")
    with acting_as(by):
        for name, value in given.items():
            if value is not None:
                SECTIONS[name].write(person, value)
    look_again(person)


def look_again(person: User) -> None:
    """Let what is held for the person go by the wishes of now."""
    dispatch.run_effects_later(store.look_again(person.pk, now=clock.now()))


def _answer(caller: Caller, external_id: str) -> HttpResponse:
    person = person_meant(caller, external_id)
    if person is None:
        return not_found()
    return JsonResponse({name: section.read(person) for name, section in SECTIONS.items()})


class GroupOfTypes(TypedDict):
    name: str
    label: str
    event_types: list[str]
    mandatory: bool
    may_opt_out_of_piercing: bool


class EventGroups(TypedDict):
    groups: list[GroupOfTypes]


groups_router = Router(auth=KeyOrPerson(*SCOPES))


@groups_router.get("", response=EventGroups, summary="The groups of event types")
async def get_event_groups(request: HttpRequest) -> HttpResponse:
    """Return what people can mute, switch off or order together, and what the operator allows."""
    return await sync_to_async(_event_groups)()


def _event_groups() -> HttpResponse:
    return JsonResponse({"groups": [_group_json(group) for group in EventGroup.objects.all()]})


def _group_json(group: EventGroup) -> GroupOfTypes:
    return {
        "name": group.name,
        "label": group.label,
        "event_types": group.event_types,
        "mandatory": group.mandatory,
        "may_opt_out_of_piercing": group.may_opt_out_of_piercing,
    }
