"""`/users` and `/users/{id}`: sources create, change and find people; a person sees and sets their own."""

from collections.abc import Sequence
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Query, Router

from gateway.api.bodies import json_body
from gateway.api.openapi import profiles as documented
from gateway.api.shown import not_found, person_json, remark_json, warnings_of
from gateway.auth.callers import Caller, KeyOrPerson, PeopleKey, author_of, person_meant
from gateway.codec import limits, people
from gateway.codec.limits import InvalidEvent, check_text
from runtime.postgres import clock
from runtime.postgres.commits import commits_noticed
from users.models import User
from users.people.search import Search, page, with_details
from users.people.values import Author, Change, Mode, Outcome, Rejected, Result
from users.people.write import apply

router = Router()

SCOPES = ("people", "admin")
BULK = 1_000


@router.put(
    "/users/{external_id}",
    auth=PeopleKey(*SCOPES),
    openapi_extra=documented.PUT,
    summary="Create a person, or change them",
)
async def put_person(request: HttpRequest, external_id: str) -> HttpResponse:
    """Create the person or change what is named. Idempotent. `addresses` are all of the source's."""
    return await sync_to_async(_changed)(request, external_id, Mode.PUT)


@router.patch(
    "/users/{external_id}",
    auth=KeyOrPerson(*SCOPES),
    openapi_extra=documented.PATCH,
    summary="Change a person",
)
async def patch_person(request: HttpRequest, external_id: str) -> HttpResponse:
    """Change what is named; addresses are added. A person sets `locale` and `time_zone` of their own."""
    return await sync_to_async(_changed)(request, external_id, Mode.PATCH)


@commits_noticed()
def _changed(request: HttpRequest, external_id: str, mode: Mode) -> HttpResponse:
    caller: Caller = request.auth  # type: ignore[attr-defined]
    if caller.person is not None:
        if external_id not in {"me", caller.person.external_id}:
            return not_found()
        external_id = caller.person.external_id
    check_user_id(external_id, "user_id")
    fields = people.PERSON if caller.person is None else people.OWN
    details = people.details_of(fields, json_body(request))
    [outcome] = apply([Change(external_id, details, mode, author_of(caller))], now=clock.now())
    if outcome.rejected is not None:
        raise Rejected(outcome.rejected)
    return _person_answer(external_id, caller, outcome)


def _person_answer(external_id: str, caller: Caller, outcome: Outcome) -> HttpResponse:
    person = with_details(User.objects.filter(external_id=external_id)).first()
    if person is None:
        return not_found()  # erased meanwhile
    said = {"result": outcome.result, **person_json(person)}
    if caller.key is not None:
        said["warnings"] = warnings_of([person], {external_id: outcome}).get(external_id, [])
    return JsonResponse(said, status=201 if outcome.result is Result.CREATED else 200)


@router.get(
    "/users/{external_id}",
    auth=KeyOrPerson(*SCOPES),
    openapi_extra=documented.GET,
    summary="A person with their addresses",
)
async def get_person(request: HttpRequest, external_id: str) -> HttpResponse:
    """Return the person. People ask for themselves as `me`."""
    return await sync_to_async(_read)(request, external_id)


def _read(request: HttpRequest, external_id: str) -> HttpResponse:
    meant = person_meant(request.auth, external_id)  # type: ignore[attr-defined]
    person = with_details(User.objects.filter(pk=meant.pk)).first() if meant is not None else None
    return not_found() if person is None else JsonResponse(person_json(person))


# --- many -----------------------------------------------------------------------------------------------
@router.post(
    "/users",
    auth=PeopleKey(*SCOPES),
    openapi_extra=documented.BULK,
    summary="Create or change up to 1,000 people",
)
async def put_people(request: HttpRequest) -> HttpResponse:
    """Do what PUT does for each; a bad one does not stop the others. One result for each, in order."""
    return await sync_to_async(_put_many)(request)


@commits_noticed()
def _put_many(request: HttpRequest) -> HttpResponse:
    author = author_of(request.auth)  # type: ignore[attr-defined]
    items = _items(json_body(request, longest=limits.BATCH_BYTES))
    results: list[dict[str, Any]] = [{} for _ in items]
    changes: list[tuple[int, Change]] = []
    for index, item in enumerate(items):
        try:
            changes.append((index, _change(item, author)))
        except InvalidEvent as error:
            rejected = {"code": error.code, "detail": error.detail, "field": error.field}
            results[index] = {"user_id": _named(item), "result": Result.REJECTED, **rejected}
    outcomes = apply([change for _, change in changes], now=clock.now())
    warnings = _warnings(changes, outcomes)
    for (index, change), outcome in zip(changes, outcomes, strict=True):
        results[index] = {"user_id": change.external_id, "result": outcome.result}
        if outcome.rejected is not None:
            results[index] |= remark_json(outcome.rejected)
        elif found := warnings.get(change.external_id):
            results[index]["warnings"] = found
    return JsonResponse({"results": results})


def _items(body: dict[str, Any]) -> list[Any]:
    items = body.get("users")
    if not isinstance(items, list) or len(body) != 1:
        raise InvalidEvent("not_an_object", 'Send {"users": [ … ]}.', "users")
    if len(items) > BULK:
        raise InvalidEvent("too_large", f"At most {BULK} people a call.", "users")
    return items


def _change(item: Any, author: Author) -> Change:
    if not isinstance(item, dict):
        raise InvalidEvent("not_an_object", "Send an object for each person.")
    external_id = check_user_id(item.get("user_id"), "user_id")
    given = {name: value for name, value in item.items() if name != "user_id"}
    return Change(external_id, people.details_of(people.PERSON, given), Mode.PUT, author)


def _named(item: Any) -> str:
    user_id = item.get("user_id") if isinstance(item, dict) else None
    return user_id[:128] if isinstance(user_id, str) else ""


def _warnings(changes: Sequence[tuple[int, Change]], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    found = {change.external_id: outcome for (_, change), outcome in zip(changes, outcomes, strict=True)}
    addressed = [change.external_id for _, change in changes if change.details.addresses]
    people_addressed = User.objects.filter(external_id__in=addressed)
    return warnings_of(list(people_addressed.only("external_id")), found)


def check_user_id(value: Any, field: str) -> str:
    """Return the id of a person to create. Raises: `InvalidEvent`."""
    if not isinstance(value, str) or not value.strip():
        raise InvalidEvent("missing_field", "Send your own id of the person, as text.", field)
    return check_text(value, field, longest=128)


@router.get("/users", auth=PeopleKey(*SCOPES), openapi_extra=documented.LIST, summary="Find people")
async def list_people(
    request: HttpRequest,
    cursor: int = Query(0, ge=0, lt=2**63),  # type: ignore[type-arg]
    limit: int = Query(50, ge=1, le=200),  # type: ignore[type-arg]
) -> HttpResponse:
    """Return a page of people, the oldest first. `next_cursor` is the `cursor` of the page after it."""
    return JsonResponse(await sync_to_async(_page)(request, cursor, limit))


_PARAMETERS = {"user_id", "prefix", "search", "group", "active", "cursor", "limit"}


def _page(request: HttpRequest, cursor: int, limit: int) -> dict[str, Any]:
    caller: Caller = request.auth  # type: ignore[attr-defined]
    found = page(_search(request), rule=author_of(caller).rule, after=cursor, limit=limit)
    next_cursor = found[-1].pk if len(found) == limit else None
    return {"users": [person_json(person) for person in found], "next_cursor": next_cursor}


def _search(request: HttpRequest) -> Search:
    given = request.GET
    for name in given:
        if name not in _PARAMETERS:
            detail = f"Remove this parameter; the known ones are {', '.join(sorted(_PARAMETERS))}."
            raise InvalidEvent("unknown_field", detail, name[:60])
    texts = {
        name: check_text(given.get(name, ""), name, longest=500) for name in ("prefix", "search", "group")
    }
    active = given.get("active")
    if active not in {None, "true", "false"}:
        raise InvalidEvent("not_a_boolean", "Send true or false.", "active")
    return Search(
        ids=tuple(check_text(one, "user_id", longest=128) for one in given.getlist("user_id")),
        prefix=texts["prefix"],
        text=texts["search"],
        group=texts["group"],
        active=None if active is None else active == "true",
    )
