"""`/api/v1`: each operation authenticates, makes one domain call and translates the answer."""

import contextlib
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI, Query
from ninja.errors import ValidationError

from gateway import codec
from gateway.api import openapi, operate, people, publish, read, topics
from gateway.api.publish import Unavailable
from gateway.auth import AuthFailed, SourceKey
from gateway.callers import person_of_request
from gateway.limits import Malformed
from gateway.problems import DATABASE_AWAY, from_malformed, problem, status_of, unavailable
from gateway.waiting import until_final
from notifications import inbox, knobs
from notifications.events import Ack
from users.models import User

api = NinjaAPI(title="Tocsin", version="1", description=openapi.DESCRIPTION, docs_url="/docs")
api.add_router("", people.router)


@api.post("/events", auth=SourceKey("publish"), openapi_extra=openapi.PUBLISH_ONE, summary="Publish an event")
async def publish_event(request: HttpRequest, wait: float = Query(0, ge=0)) -> HttpResponse:  # type: ignore[type-arg]
    """Take in one event. With `wait`, answer when it has ended, or after that many seconds."""
    protobuf = request.content_type == codec.PROTOBUF
    try:
        ack, protobuf = await publish.publish_one(request)
        if wait and ack.pk and not ack.final:
            # It is committed: if the database goes away now, the answer is QUEUED and not an error.
            with contextlib.suppress(*DATABASE_AWAY):
                ack = await _wait(ack.pk, wait, duplicate=ack.duplicate)
        return publish.one_answer(ack, protobuf)
    except Malformed as error:
        return publish.malformed_answer(error, protobuf)


@api.post(
    "/events/batch",
    auth=SourceKey("publish"),
    openapi_extra=openapi.PUBLISH_BATCH,
    summary="Publish up to 1,000 events",
)
async def publish_events(request: HttpRequest) -> HttpResponse:
    """Take in a batch. The answer has one ack for each event, in order; partial failure is normal."""
    try:
        return publish.batch_answer(*await publish.publish_batch(request))
    except Malformed as error:
        return publish.malformed_answer(error, request.content_type == codec.PROTOBUF)


@api.get("/events", auth=SourceKey("read"), summary="Events, the latest first", openapi_extra=openapi.LIST)
async def list_events(
    request: HttpRequest,
    cursor: int | None = Query(None, ge=1, lt=2**63),  # type: ignore[type-arg]
    limit: int = Query(50, ge=1, le=200),  # type: ignore[type-arg]
) -> HttpResponse:
    """Return a page of the source's own events. `next_cursor` is the `cursor` of the page after it."""
    source_id = request.auth.source_id  # type: ignore[attr-defined]
    given = operate.query(request.GET)
    return JsonResponse(await sync_to_async(operate.listed)(source_id, given, cursor, limit))


@api.get("/events/stats", auth=SourceKey("read"), summary="Counts, and whether the guarantee is kept")
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
    openapi_extra=openapi.REPLAY,
    summary="Send dead letters once more",
)
async def replay_events(request: HttpRequest) -> HttpResponse:
    """Accept failed or expired events anew, under their own ids, or count them with `dry_run`."""
    answer, accepted = await sync_to_async(operate.replayed)(request)
    return JsonResponse(answer, status=202 if accepted else 200)


@api.get("/events/{path:event_id}", auth=SourceKey("read"), summary="One event, with its whole story")
async def get_event(request: HttpRequest, event_id: str, wait: float = Query(0, ge=0)) -> HttpResponse:  # type: ignore[type-arg]
    """Return the ack as it stands, the plan, the trace, every delivery and every attempt."""
    source_id = request.auth.source_id  # type: ignore[attr-defined]
    found = await sync_to_async(read.stored_pk)(source_id, event_id)
    if found is None:
        return problem("not_found", "This source has no event with this id.", event_id=event_id)
    if wait:
        await _wait(found, wait)
    return JsonResponse(await sync_to_async(read.story)(found))


async def _wait(pk: int | str, wait_s: float, *, duplicate: bool = False) -> Ack:
    return await until_final(
        lambda: sync_to_async(read.ack)(pk, duplicate=duplicate),
        pk,
        min(wait_s, knobs.current().final_wait_max_s),
    )


@api.get("/users/{external_id}/inbox", auth=None, summary="A person's inbox")
def get_inbox(
    request: HttpRequest,
    external_id: str,
    before: int | None = None,
    limit: int = Query(30, ge=1, le=200),  # type: ignore[type-arg]
) -> HttpResponse:
    """Return stored events, newest first. People read their own as `me`, by browser session or JWT."""
    person = person_of_request(request)
    if person is None:
        return problem("not_signed_in", "Sign in first.", status=401)
    if external_id not in {"me", person.external_id}:
        return problem("not_found", "Only your own inbox can be read.", status=404)
    return JsonResponse(_inbox(person, before, limit))


def _inbox(person: User, before: int | None, limit: int) -> dict[str, Any]:
    where = inbox.position(person.pk)
    items = inbox.page(person.pk, time_zone=person.time_zone, before=before, limit=limit)
    return {
        "items": items,
        "unread": where.unread,
        "seq": where.seq,
        "epoch": where.epoch,
        "next_before": items[-1]["seq"] if len(items) == limit else None,
    }


api.add_router("/users", topics.router)

_BEARER = {"WWW-Authenticate": "Bearer"}


@api.exception_handler(AuthFailed)
def _auth_failed(request: HttpRequest, error: AuthFailed) -> HttpResponse:
    if status_of(error.code) == 403:
        return problem(error.code, error.detail)
    return problem(error.code, error.detail, status=401, headers=_BEARER)


@api.exception_handler(Unavailable)
def _unavailable(request: HttpRequest, error: Unavailable) -> HttpResponse:
    return unavailable()


@api.exception_handler(Malformed)
def _malformed(request: HttpRequest, error: Malformed) -> HttpResponse:
    return from_malformed(error)


@api.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    first = error.errors[0]
    return problem("invalid_parameter", str(first["msg"]), field=str(first["loc"][-1]))


for _away in DATABASE_AWAY:
    api.add_exception_handler(_away, lambda request, error: unavailable())
