"""`/users` and `/users/{id}`: sources create, change and find people; a person sees and sets their own."""

from collections.abc import Sequence
from typing import Any, NotRequired

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from ninja import Query, Router
from typing_extensions import TypedDict

from gateway.api.bodies import json_body
from gateway.api.openapi.bodies import body, described, query
from gateway.api.shown import ChangeRemark, Person, not_found, person_json, remark_json, warnings_of
from gateway.auth.callers import Caller, KeyOrPerson, PeopleKey, author_of, person_meant
from gateway.codec import limits, people
from gateway.codec.limits import InvalidEvent, check_text
from gateway.codec.schema import Field, Kind, object_schema, text
from runtime.postgres import clock
from runtime.postgres.commits import commits_noticed
from users.models import User
from users.people.search import Search, page, with_details
from users.people.values import Author, Change, Mode, Outcome, Rejected, Result
from users.people.write import apply

router = Router()

SCOPES = ("people", "admin")
BULK = 1_000


_EXAMPLE = {
    "name": "Alice Liddell",
    "locale": "de-CH",
    "time_zone": "Europe/Zurich",
    "groups": ["traders"],
    "addresses": [{"channel": "TELEGRAM", "address": "100200300", "label": "phone"}],
}


class PersonChanged(Person):
    """`warnings` are for sources: a person gets none."""

    result: Result
    warnings: list[ChangeRemark]


@router.put(
    "/users/{external_id}",
    auth=PeopleKey(*SCOPES),
    response={200: PersonChanged, 201: PersonChanged},
    openapi_extra=body("PersonFields", people.PERSON, _EXAMPLE),
    summary="Create a person, or change them",
)
async def put_person(request: HttpRequest, external_id: str) -> HttpResponse:
    """Create the person or change what is named. Idempotent. `addresses` are all of the source's."""
    return await sync_to_async(_changed)(request, external_id, Mode.PUT)


@router.patch(
    "/users/{external_id}",
    auth=KeyOrPerson(*SCOPES),
    response=PersonChanged,
    openapi_extra=body("PersonFields", people.PERSON, {"locale": "fr"}),
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
    found = {} if caller.key is None else warnings_of([person], {external_id: outcome})
    said: PersonChanged = {
        "result": outcome.result,
        **person_json(person),
        "warnings": found.get(external_id, []),
    }
    return JsonResponse(said, status=201 if outcome.result is Result.CREATED else 200)


@router.get(
    "/users/{external_id}",
    auth=KeyOrPerson(*SCOPES),
    response=Person,
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
class PersonResult(TypedDict):
    """What became of one of the people; `code`, `detail` and `field` say why it was rejected."""

    user_id: str
    result: Result
    code: NotRequired[str]
    detail: NotRequired[str]
    field: NotRequired[str]
    warnings: NotRequired[list[ChangeRemark]]


class PersonResults(TypedDict):
    """A result for each, in order."""

    results: list[PersonResult]


_PEOPLE: dict[str, Any] = {
    "title": "PeopleBatch",
    "type": "object",
    "additionalProperties": False,
    "required": ["users"],
    "properties": {
        "users": {"type": "array", "maxItems": BULK, "items": object_schema(people.ITEM, "PersonItem")}
    },
}


@router.post(
    "/users",
    auth=PeopleKey(*SCOPES),
    response=PersonResults,
    openapi_extra=described(_PEOPLE, {"users": [{"user_id": "alice", **_EXAMPLE}]}),
    summary="Create or change up to 1,000 people",
)
async def put_people(request: HttpRequest) -> HttpResponse:
    """Do what PUT does for each; a bad one does not stop the others. One result for each, in order."""
    return await sync_to_async(_put_many)(request)


@commits_noticed()
def _put_many(request: HttpRequest) -> HttpResponse:
    author = author_of(request.auth)  # type: ignore[attr-defined]
    items = _items(json_body(request, longest=limits.BATCH_BYTES))
    results: dict[int, PersonResult] = {}
    changes: list[tuple[int, Change]] = []
    for index, item in enumerate(items):
        try:
            changes.append((index, _change(item, author)))
        except InvalidEvent as error:
            results[index] = {
                "user_id": _named(item),
                "result": Result.REJECTED,
                "code": error.code,
                "detail": error.detail,
                "field": error.field,
            }
    outcomes = apply([change for _, change in changes], now=clock.now())
    warnings = _warnings(changes, outcomes)
    for (index, change), outcome in zip(changes, outcomes, strict=True):
        results[index] = {"user_id": change.external_id, "result": outcome.result}
        if outcome.rejected is not None:
            results[index] = {**results[index], **remark_json(outcome.rejected)}
        elif found := warnings.get(change.external_id):
            results[index]["warnings"] = found
    in_order: PersonResults = {"results": [results[index] for index in range(len(items))]}
    return JsonResponse(in_order)


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


class PeoplePage(TypedDict):
    """A page of people, the oldest first. `next_cursor` is the `cursor` of the page after it."""

    users: list[Person]
    next_cursor: int | None


def _check_ids(value: Any, field: str) -> tuple[str, ...]:
    return tuple(check_text(one, field, longest=128) for one in value)


def _check_true_or_false(value: Any, field: str) -> bool:
    if value not in {"true", "false"}:
        raise InvalidEvent("not_a_boolean", "Send true or false.", field)
    return bool(value == "true")


_SEARCH = (
    Field(
        "user_id",
        Kind(_check_ids, {"type": "array", "items": {"type": "string", "maxLength": 128}}, tuple),
        "these ids",
    ),
    Field("prefix", text(500), "beginning of the id"),
    Field("search", text(500), "part of the id or of the name, or a whole address"),
    Field("group", text(500), "members of this group"),
    Field("active", Kind(_check_true_or_false, {"type": "boolean"}, lambda: None), "true or false"),
)


@router.get(
    "/users",
    auth=PeopleKey(*SCOPES),
    response=PeoplePage,
    openapi_extra=query(_SEARCH),
    summary="Find people",
)
async def list_people(
    request: HttpRequest,
    cursor: int = Query(0, ge=0, lt=2**63),  # type: ignore[type-arg]
    limit: int = Query(50, ge=1, le=200),  # type: ignore[type-arg]
) -> HttpResponse:
    """Return a page of people, the oldest first. `next_cursor` is the `cursor` of the page after it."""
    return JsonResponse(await sync_to_async(_page)(request, cursor, limit))


def _page(request: HttpRequest, cursor: int, limit: int) -> PeoplePage:
    caller: Caller = request.auth  # type: ignore[attr-defined]
    found = page(_search(request.GET), rule=author_of(caller).rule, after=cursor, limit=limit)
    next_cursor = found[-1].pk if len(found) == limit else None
    return {"users": [person_json(person) for person in found], "next_cursor": next_cursor}


def _search(given: QueryDict) -> Search:
    filters: dict[str, Any] = {
        name: given[name] for name in given if name not in {"cursor", "limit", "user_id"}
    }
    if "user_id" in given:
        filters["user_id"] = given.getlist("user_id")
    found = people.checked_object(_SEARCH, filters, "")
    return Search(
        ids=found["user_id"],
        prefix=found["prefix"],
        text=found["search"],
        group=found["group"],
        active=found["active"],
    )
