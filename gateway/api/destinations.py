"""`/users/{id}/destinations`: where channels reach a person, one by one, and a test message to each."""

from asgiref.sync import sync_to_async
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router
from typing_extensions import TypedDict

from gateway.api.bodies import json_body
from gateway.api.openapi.bodies import body
from gateway.api.profiles import SCOPES
from gateway.api.shown import PersonDestination, destination_json, not_found
from gateway.auth.callers import Caller, KeyOrPerson, author_of, person_meant
from gateway.codec import people
from gateway.codec.problems import Problem, problem
from notifications.delivery import test_message
from notifications.delivery.test_message import Prepared, TooManyTests
from notifications.states import AttemptOutcome, Channel
from notifications.transports.base import TransportError
from runtime.postgres import clock
from runtime.postgres.commits import commits_noticed
from users.people import destinations
from users.people.destinations import DestinationChange

router = Router(auth=KeyOrPerson(*SCOPES))


class PersonDestinations(TypedDict):
    destinations: list[PersonDestination]


class TestResult(TypedDict):
    """The provider's answer; `sent` means that it took the message."""

    outcome: AttemptOutcome
    reason: str
    provider_message_id: str


@router.get("/{external_id}/destinations", response=PersonDestinations, summary="A person's destinations")
async def list_destinations(request: HttpRequest, external_id: str) -> HttpResponse:
    """Return all of them. People ask for their own as `me`, here and below."""
    return await sync_to_async(_listed)(request.auth, external_id)  # type: ignore[attr-defined]


def _listed(caller: Caller, external_id: str) -> HttpResponse:
    person = person_meant(caller, external_id)
    if person is None:
        return not_found()
    found = person.destinations.prefetch_related("sources").order_by("kind", "position", "pk")
    return JsonResponse({"destinations": [destination_json(one) for one in found]})


@router.post(
    "/{external_id}/destinations",
    response={200: PersonDestination, 201: PersonDestination},
    openapi_extra=body("NewDestination", people.ADDRESS, {"channel": "EMAIL", "address": "al@example.org"}),
    summary="Add a destination",
)
async def add_destination(request: HttpRequest, external_id: str) -> HttpResponse:
    """Add an address; 200 if the person has it already. It is used once it is verified."""
    return await sync_to_async(_added)(request, external_id)


@commits_noticed()
def _added(request: HttpRequest, external_id: str) -> HttpResponse:
    caller: Caller = request.auth  # type: ignore[attr-defined]
    person = person_meant(caller, external_id)
    if person is None:
        return not_found()
    given = people.given_address(people.ADDRESS, json_body(request), "")
    found, is_new = destinations.add(person, given, by=author_of(caller), now=clock.now())
    return JsonResponse(destination_json(found), status=201 if is_new else 200)


@router.patch(
    "/{external_id}/destinations/{int:destination_id}",
    response={200: PersonDestination, 409: Problem},
    openapi_extra=body("DestinationChange", people.DESTINATION_CHANGE, {"label": "work"}),
    summary="Change a destination",
)
async def change_destination(request: HttpRequest, external_id: str, destination_id: int) -> HttpResponse:
    """Change what is named. Another address is not verified, unless the source vouches for it."""
    return await sync_to_async(_changed)(request, external_id, destination_id)


@commits_noticed()
def _changed(request: HttpRequest, external_id: str, destination_id: int) -> HttpResponse:
    caller: Caller = request.auth  # type: ignore[attr-defined]
    person = person_meant(caller, external_id)
    if person is None:
        return not_found()
    values = people.checked_object(people.DESTINATION_CHANGE, json_body(request), "")
    if values["address"]:
        channel = Channel(destinations.find(person, destination_id).kind)
        people.check_address(channel, values["address"], "address")
    change = DestinationChange(**values)
    found = destinations.change_one(person, destination_id, change, by=author_of(caller), now=clock.now())
    return JsonResponse(destination_json(found))


@router.delete(
    "/{external_id}/destinations/{int:destination_id}",
    response={204: None},
    summary="Remove a destination",
)
async def remove_destination(request: HttpRequest, external_id: str, destination_id: int) -> HttpResponse:
    """Remove it. One that a source brought stays, disabled, if the person removes it."""
    return await sync_to_async(_removed)(request.auth, external_id, destination_id)  # type: ignore[attr-defined]


@commits_noticed()
def _removed(caller: Caller, external_id: str, destination_id: int) -> HttpResponse:
    person = person_meant(caller, external_id)
    if person is None:
        return not_found()
    destinations.remove(person, destination_id, by=author_of(caller), now=clock.now())
    return HttpResponse(status=204)


# --- a test message -------------------------------------------------------------------------------------
@router.post(
    "/{external_id}/destinations/{int:destination_id}/test",
    response={200: TestResult, 409: Problem},
    summary="Send a test message",
)
async def send_test_message(request: HttpRequest, external_id: str, destination_id: int) -> HttpResponse:
    """Send one real message to the address now, and say what its provider answered."""
    caller: Caller = request.auth  # type: ignore[attr-defined]
    prepared = await sync_to_async(_prepared)(caller, external_id, destination_id)
    if isinstance(prepared, HttpResponse):
        return prepared
    try:
        receipt = await test_message.send(
            prepared.channel, prepared.address, prepared.message, wait_s=prepared.wait_s
        )
    except TransportError as error:
        return JsonResponse(_outcome(error.outcome, error.reason))
    return JsonResponse(_outcome(AttemptOutcome.SENT, "", receipt.provider_message_id))


def _outcome(outcome: AttemptOutcome, reason: str, provider_message_id: str = "") -> TestResult:
    return {"outcome": outcome, "reason": reason, "provider_message_id": provider_message_id}


def _prepared(caller: Caller, external_id: str, destination_id: int) -> Prepared | HttpResponse:
    try:
        person = person_meant(caller, external_id)
        return not_found() if person is None else test_message.prepare(person, destination_id)
    except TooManyTests:
        headers = {"Retry-After": str(test_message.RETRY_AFTER_S)}
        return problem("rate_limited", "Enough tests of this address for now.", headers=headers)
    finally:
        connection.close()  # none is held while the provider answers
