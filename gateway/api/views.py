"""`/api/v1`: each operation authenticates, makes one domain call and translates the answer."""

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import register_converter
from django.urls.converters import StringConverter
from ninja import Query
from ninja.errors import ValidationError

from gateway.api import (
    destinations,
    links,
    mutes,
    operate,
    people,
    preferences,
    privacy,
    profiles,
    read,
    templates,
    topics,
    verification,
)
from gateway.api.hooks import accounts, hooks, quarantine
from gateway.api.openapi import document
from gateway.api.openapi.bodies import body, query
from gateway.api.sources import callbacks, keys
from gateway.auth.bearer import AuthFailed, SourceKey
from gateway.auth.callers import person_of_request
from gateway.auth.key_rates import RateLimited
from gateway.codec.limits import InvalidEvent
from gateway.codec.problems import commit_unknown, from_malformed, not_allowed, problem, unavailable
from gateway.hub.waiting import until_final
from notifications.live import inbox
from runtime.postgres.away import DATABASE_AWAY, CommitUnknown
from users.people.values import Rejected


class _EventId(StringConverter):
    """Any text: with slashes, and with line ends, which Django's `path` leaves out."""

    regex = "(?s:.+)"


register_converter(_EventId, "event_id")


api = document.api()
api.add_router("", people.router)
api.add_router("", profiles.router)
api.add_router("", privacy.router)
api.add_router("/templates", templates.router)
api.add_router("/keys", keys.router)
api.add_router("/callback", callbacks.router)
api.add_router("/hooks", hooks.router)
api.add_router("/accounts", accounts.router)
api.add_router("/quarantine", quarantine.router)


@api.get(
    "/events",
    auth=SourceKey("read"),
    response=operate.EventPage,
    openapi_extra=query(operate.FILTER),
    summary="Events, the latest first",
)
async def list_events(
    request: HttpRequest,
    cursor: int | None = Query(None, ge=1, lt=2**63),  # type: ignore[type-arg]
    limit: int = Query(50, ge=1, le=200),  # type: ignore[type-arg]
) -> HttpResponse:
    """Return a page of the source's own events. `next_cursor` is the `cursor` of the page after it."""
    source_id = request.auth.source_id  # type: ignore[attr-defined]
    given = operate.query(request.GET)
    return JsonResponse(await sync_to_async(operate.listed)(source_id, given, cursor, limit))


@api.get(
    "/events/stats",
    auth=SourceKey("read"),
    response=operate.EventStats,
    summary="Counts, and whether the guarantee is kept",
)
async def event_stats(
    request: HttpRequest,
    window_s: int = Query(3600, ge=1, le=86_400),  # type: ignore[type-arg]
) -> HttpResponse:
    """Return counts of the source's events of the window, and the health of the whole system."""
    source_id = request.auth.source_id  # type: ignore[attr-defined]
    return JsonResponse(await sync_to_async(operate.stats)(source_id, window_s))


@api.post(
    "/events/replay",
    auth=SourceKey("replay"),
    response={200: operate.ReplayPreview, 202: operate.ReplayStarted},
    openapi_extra=body(
        "ReplayRequest",
        operate.REPLAY,
        {"filter": {"priority": "CRITICAL", "state": "failed"}, "dry_run": True},
    ),
    summary="Send dead letters once more",
)
async def replay_events(request: HttpRequest) -> HttpResponse:
    """Accept failed or expired events again, under their own ids, or count them with `dry_run`."""
    answer = await sync_to_async(operate.replay_as_asked)(request)
    return JsonResponse(answer, status=200 if answer["dry_run"] else 202)


@api.get("/events/replay", auth=SourceKey("read"), include_in_schema=False)
async def get_event_named_replay(request: HttpRequest, wait: float = Query(0, ge=0)) -> HttpResponse:  # type: ignore[type-arg]
    """Return the event with the id `replay`, whose path is also that of the call."""
    return await _event(request, "replay", wait)


_STORY = read.EventStory | read.TopicEventStory | read.SimulatedStory


@api.get("/event", auth=SourceKey("read"), response=_STORY, summary="One event, by an id of any form")
async def get_event_by_id(
    request: HttpRequest,
    event_id: str,
    wait: float = Query(0, ge=0),  # type: ignore[type-arg]
) -> HttpResponse:
    """Return what `/events/{event_id}` does, also where the id does not fit into a path."""
    return await _event(request, event_id, wait)


@api.get(
    "/events/{event_id:event_id}",
    auth=SourceKey("read"),
    response=_STORY,
    summary="One event, with its whole story",
)
async def get_event(request: HttpRequest, event_id: str, wait: float = Query(0, ge=0)) -> HttpResponse:  # type: ignore[type-arg]
    """Return the ack as it stands, the plan, the trace, every delivery and every attempt."""
    return await _event(request, event_id, wait)


async def _event(request: HttpRequest, event_id: str, wait: float) -> HttpResponse:
    source_id = request.auth.source_id  # type: ignore[attr-defined]
    if request.auth.test:  # type: ignore[attr-defined]
        simulated = await sync_to_async(read.simulated_story)(source_id, event_id)
        return JsonResponse(simulated) if simulated else _no_event(event_id)
    found = await sync_to_async(read.stored_pk)(source_id, event_id)
    if found is None:
        return _no_event(event_id)
    if wait:
        await until_final(found, wait)
    return JsonResponse(await sync_to_async(read.story)(found))


def _no_event(event_id: str) -> HttpResponse:
    answer: HttpResponse = problem("not_found", "This source has no event with this id.", event_id=event_id)
    return answer


_LAST_SEQ = 2**63 - 1


@api.get("/users/{external_id}/inbox", auth=None, response=inbox.Inbox, summary="A person's inbox")
def get_inbox(
    request: HttpRequest,
    external_id: str,
    before: int | None = Query(None, ge=1),  # type: ignore[type-arg]
    limit: int = Query(30, ge=1, le=200),  # type: ignore[type-arg]
) -> HttpResponse:
    """Return stored events, newest first. People read their own as `me`, by browser session or JWT."""
    person = person_of_request(request)
    if person is None:
        return problem("not_signed_in", "Sign in first.", status=401)
    if external_id not in {"me", person.external_id}:
        return problem("not_found", "Only your own inbox can be read.", status=404)
    start = before and min(before, _LAST_SEQ)
    return JsonResponse(
        inbox.with_totals(
            person.pk, time_zone=person.time_zone, locale=person.locale, before=start, limit=limit
        )
    )


for _of_person in (topics, destinations, verification, links, preferences, mutes):
    api.add_router("/users", _of_person.router)
api.add_router("/event-groups", preferences.groups_router)


@api.exception_handler(Rejected)
def _rejected(request: HttpRequest, error: Rejected) -> HttpResponse:
    return problem(error.remark.code, error.remark.detail, field=error.remark.field)


@api.exception_handler(AuthFailed)
def _auth_failed(request: HttpRequest, error: AuthFailed) -> HttpResponse:
    return not_allowed(error.code, error.detail)


@api.exception_handler(RateLimited)
def _rate_limited(request: HttpRequest, error: RateLimited) -> HttpResponse:
    return error.answer()


@api.exception_handler(InvalidEvent)
def _malformed(request: HttpRequest, error: InvalidEvent) -> HttpResponse:
    return from_malformed(error)


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    first = error.errors[0]
    return problem("invalid_parameter", str(first["msg"]), field=str(first["loc"][-1]))


@api.exception_handler(CommitUnknown)
def _commit_unknown(request: HttpRequest, error: CommitUnknown) -> HttpResponse:
    detail = "The database went away while it was committing, so it is not known whether this was done."
    return commit_unknown(f"{detail} Send it again.")


for _away in DATABASE_AWAY:
    api.add_exception_handler(
        _away,
        lambda request, error: unavailable(
            "The database cannot be reached; nothing was changed. Send it again."
        ),
    )
