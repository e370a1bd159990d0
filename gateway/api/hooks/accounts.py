"""`/accounts`: which of a source's accounts belong to whom."""

from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Query, Router
from typing_extensions import TypedDict

from gateway.api.bodies import json_body
from gateway.api.openapi.bodies import body
from gateway.auth.callers import Caller, PeopleKey
from gateway.codec.limits import BATCH_BYTES, BATCH_EVENTS, InvalidEvent, check_text
from gateway.codec.people import checked_object
from gateway.codec.schema import Field, Kind, object_schema, text
from runtime.postgres.commits import commits_noticed
from users.models import Account, User
from users.people import rights

router = Router(auth=PeopleKey("people", "admin"))


class AccountAnswer(TypedDict):
    account: str
    user_id: str


class Accounts(TypedDict):
    accounts: list[AccountAnswer]
    next_after: str | None


class AccountsSet(TypedDict):
    set: int
    forgotten: int


# --- what is sent ---------------------------------------------------------------------------------------
_ACCOUNT = (
    Field("account", text(200), "as the system names it", required=True),
    Field("user_id", Kind(text(128).check, text(128).schema, lambda: None), "whose it is; null: forget it"),
)


def _check_accounts(given: Any, field: str) -> dict[str, str | None]:
    if not isinstance(given, list) or len(given) > BATCH_EVENTS:
        raise InvalidEvent("invalid_accounts", f"Send a list of at most {BATCH_EVENTS}.", field)
    wanted: dict[str, str | None] = {}
    for index, one in enumerate(given):
        asked = checked_object(_ACCOUNT, one, f"{field}[{index}]")
        if asked["account"] in wanted:
            raise InvalidEvent("invalid_accounts", "Name each account once.", f"{field}[{index}].account")
        wanted[asked["account"]] = asked["user_id"]
    return wanted


_LIST = {"type": "array", "maxItems": BATCH_EVENTS, "items": object_schema(_ACCOUNT, "Account")}
_PUT = (
    Field("accounts", Kind(_check_accounts, _LIST, lambda: None), "whose accounts are whose", required=True),
)
_EXAMPLE = {"accounts": [{"account": "1001", "user_id": "ann"}]}


# --- the calls ------------------------------------------------------------------------------------------


@router.get("", response=Accounts, summary="Whose accounts are whose")
async def list_accounts(
    request: HttpRequest,
    after: str = "",
    limit: int = Query(200, ge=1, le=1000),  # type: ignore[type-arg]
) -> HttpResponse:
    """Return a page of the source's accounts, by name. `next_after` is the `after` of the next page."""
    return await sync_to_async(_page)(request, check_text(after, "after", longest=200), limit)


@router.put(
    "",
    response=AccountsSet,
    openapi_extra=body("AccountsRequest", _PUT, _EXAMPLE),
    summary="Say whose accounts are whose",
)
async def put_accounts(request: HttpRequest) -> HttpResponse:
    """Set up to 1,000 accounts, all or none. A `user_id` of null forgets an account. Idempotent."""
    return await sync_to_async(_put)(request)


def _source_id(request: HttpRequest) -> int:
    caller: Caller = request.auth  # type: ignore[attr-defined]
    assert caller.key is not None
    return caller.key.source_id


def _page(request: HttpRequest, after: str, limit: int) -> HttpResponse:
    rows = Account.objects.filter(source_id=_source_id(request), account__gt=after)
    found = list(rows.order_by("account").values_list("account", "person__external_id")[: limit + 1])
    page = found[:limit]
    shown = [{"account": account, "user_id": user_id} for account, user_id in page]
    return JsonResponse({"accounts": shown, "next_after": page[-1][0] if len(found) > limit else None})


@commits_noticed()
def _put(request: HttpRequest) -> HttpResponse:
    wanted = checked_object(_PUT, json_body(request, longest=BATCH_BYTES), "")["accounts"]
    people = _people(request, wanted)
    source_id = _source_id(request)
    rows = [
        Account(source_id=source_id, account=account, person_id=people[user_id])
        for account, user_id in wanted.items()
        if user_id is not None
    ]
    Account.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["source", "account"], update_fields=["person"]
    )
    gone = [account for account, user_id in wanted.items() if user_id is None]
    Account.objects.filter(source_id=source_id, account__in=gone).delete()
    return JsonResponse({"set": len(rows), "forgotten": len(gone)})


def _people(request: HttpRequest, wanted: dict[str, str | None]) -> dict[str, int]:
    """Return the persons by their ids. Raises: `InvalidEvent` for one unknown, or not the source's."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    assert caller.key is not None
    names = {user_id for user_id in wanted.values() if user_id is not None}
    known = User.objects.filter(external_id__in=names, is_active=True)
    people = dict(known.values_list("external_id", "pk"))
    refused = {name for _, name in rights.forbidden((caller.key.people, name) for name in names)}
    for index, user_id in enumerate(wanted.values()):
        field = f"accounts[{index}].user_id"
        if user_id in refused:
            raise InvalidEvent("forbidden_user", rights.not_allowed(caller.key.people).detail, field)
        if user_id is not None and user_id not in people:
            detail = "No active person has this user_id: create them with PUT /api/v1/users/{id}."
            raise InvalidEvent("unknown_user", detail, field)
    return people
