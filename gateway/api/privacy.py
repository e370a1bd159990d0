"""`DELETE /users/{id}` and `/users/{id}/export`: erasing a person, and all that is stored of them."""

from typing import Literal
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Query, Router
from typing_extensions import TypedDict

from gateway.api import profiles
from gateway.api.preferences import SECTIONS, Preferences
from gateway.api.profiles import SCOPES
from gateway.api.read import EventStory, event_story
from gateway.api.shown import Milliseconds, Person, ms_or_none, not_found, person_json
from gateway.auth.callers import Caller, KeyOrPerson, PeopleKey, person_meant
from gateway.codec.problems import problem
from notifications import dispatch
from notifications.live.frames import to_ms
from notifications.models import Delivery, Event
from notifications.operations import erasure
from runtime.postgres import clock
from runtime.postgres.commits import commits_noticed
from users.models import Erasure, User
from users.people.erasing import Operator
from users.people.search import with_details

router = Router()


class ErasureProgress(TypedDict):
    """`reference` stands for the person from now on."""

    erasure: str
    reference: str
    state: Literal["running", "done"]
    requested_at: Milliseconds
    finished_at: Milliseconds | None


class Marks(TypedDict):
    seen: Milliseconds | None
    read: Milliseconds | None
    archived: Milliseconds | None
    acknowledged: Milliseconds | None


class ExportedEvent(EventStory):
    source: str
    seq: int
    marks: Marks


class ExportedPerson(Person):
    username: str
    email: str
    last_login: Milliseconds | None


class SignIn(TypedDict):
    device: str
    at: Milliseconds


class Export(TypedDict):
    """The person, and a page of their events with payload, words, deliveries and marks."""

    person: ExportedPerson
    preferences: Preferences
    topics: list[str]
    sign_ins: list[SignIn]
    events: list[ExportedEvent]
    next_cursor: int | None


_AT_ONCE = 4  # chunks of events that the call itself erases; the rest follows in the background


@profiles.router.delete(  # of that router, as Django finds a path once
    "/users/{external_id}",
    auth=PeopleKey(*SCOPES),
    response={200: ErasureProgress, 202: ErasureProgress},
    summary="Erase a person",
)
async def erase(request: HttpRequest, external_id: str) -> HttpResponse:
    """Erase the person for good. Nothing is accepted or sent for them from this answer on."""
    return await sync_to_async(_erase)(request, external_id)


@commits_noticed()
def _erase(request: HttpRequest, external_id: str) -> HttpResponse:
    caller: Caller = request.auth  # type: ignore[attr-defined]
    person = person_meant(caller, external_id)
    if person is None:
        return not_found()
    if person.is_staff or person.is_superuser:
        detail = "This person signs in to the admin: an operator erases them there, or with erase_user."
        return problem("forbidden_user", detail, field="user_id")
    assert caller.key is not None
    by = Operator(Erasure.Surface.API, caller.key.source_name)
    order = erasure.begin(person.pk, by=by, now=clock.now())
    progress = erasure.advance(order, clock=clock.now, chunks=_AT_ONCE)
    dispatch.run_effects_later(progress.effects)
    return JsonResponse(_shown(progress.order), status=200 if progress.finished else 202)


@router.get(
    "/erasures/{uuid:pk}",
    auth=PeopleKey(*SCOPES),
    response=ErasureProgress,
    summary="How far an erasure is",
)
async def get_erasure(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Return the erasure. Its id names nobody."""
    order = await Erasure.objects.select_related("person").filter(pk=pk).afirst()
    if order is None:
        return problem("not_found", "There is no such erasure; DELETE /users/{id} returns the id of one.")
    return JsonResponse(_shown(order))


def _shown(order: Erasure) -> ErasureProgress:
    return {
        "erasure": str(order.pk),
        "reference": order.person.external_id,
        "state": "done" if order.finished_at else "running",
        "requested_at": to_ms(order.at),
        "finished_at": ms_or_none(order.finished_at),
    }


@router.get(
    "/users/{external_id}/export",
    auth=KeyOrPerson(*SCOPES),
    response=Export,
    summary="All that is stored of a person",
)
async def export(
    request: HttpRequest,
    external_id: str,
    cursor: int = Query(0, ge=0, lt=2**63),  # type: ignore[type-arg]
    limit: int = Query(200, ge=1, le=1000),  # type: ignore[type-arg]
) -> HttpResponse:
    """Return the person, and a page of their events, the oldest first. People ask for themselves as `me`."""
    return await sync_to_async(_export)(request, external_id, cursor, limit)


def _export(request: HttpRequest, external_id: str, cursor: int, limit: int) -> HttpResponse:
    person = person_meant(request.auth, external_id)  # type: ignore[attr-defined]
    return not_found() if person is None else JsonResponse(exported(person, after=cursor, limit=limit))


def exported(person: User, *, after: int, limit: int) -> Export:
    """Return the person, and up to `limit` of their events after this seq, the oldest first.

    `next_cursor` is `after` of the page that follows; None: this is the last.
    """
    events = _events(person, after, limit)
    whole = with_details(User.objects.filter(pk=person.pk)).get()
    return {
        "person": _account(whole),
        "preferences": {name: section.read(whole) for name, section in SECTIONS.items()},
        "topics": list(whole.topic_subscriptions.values_list("topic", flat=True)),
        "sign_ins": [{"device": one.device, "at": to_ms(one.at)} for one in whole.sign_ins.all()],
        "events": [_event(event) for event in events],
        "next_cursor": events[-1].seq if len(events) == limit else None,
    }


def _account(person: User) -> ExportedPerson:
    return {
        **person_json(person),
        "username": person.username,
        "email": person.email,
        "last_login": ms_or_none(person.last_login),
    }


def _events(person: User, after: int, limit: int) -> list[Event]:
    deliveries = Delivery.objects.select_related("template_version__template").order_by("position")
    found = Event.objects.filter(person=person, seq__gt=after).order_by("seq")
    return list(
        found.select_related("person", "broadcast", "source").prefetch_related(
            Prefetch("deliveries", deliveries.prefetch_related("tries"))
        )[:limit]
    )


def _event(event: Event) -> ExportedEvent:
    return {
        "source": event.source.name,
        "seq": event.seq,
        **event_story(event, list(event.deliveries.all())),
        "marks": {
            "seen": ms_or_none(event.seen_at),
            "read": ms_or_none(event.read_at),
            "archived": ms_or_none(event.archived_at),
            "acknowledged": ms_or_none(event.acknowledged_at),
        },
    }
