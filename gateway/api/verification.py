"""`POST …/destinations/{id}/verify`: a code is sent to an address, and who reads it there enters it."""

from asgiref.sync import sync_to_async
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router
from typing_extensions import TypedDict

from gateway.api.bodies import json_body
from gateway.api.openapi.bodies import body
from gateway.api.profiles import SCOPES
from gateway.api.shown import Milliseconds, PersonDestination, destination_json, not_found
from gateway.auth.callers import Caller, KeyOrPerson, person_meant
from gateway.codec import people
from gateway.codec.problems import Problem, problem
from notifications.delivery import verifying
from notifications.delivery.verifying import Prepared
from notifications.live.frames import to_ms
from notifications.transports.base import PermanentError, TransportError
from runtime.postgres import clock
from runtime.postgres.commits import commits_noticed
from users import verification
from users.people.tokens import TooMany
from users.verification import WrongCode

router = Router(auth=KeyOrPerson(*SCOPES))


class CodeSent(TypedDict):
    expires_at: Milliseconds


@router.post(
    "/{external_id}/destinations/{int:destination_id}/verify",
    response={200: PersonDestination, 202: CodeSent, 409: Problem},
    openapi_extra=body("VerificationCode", people.CODE, {"code": "123456"}, required=False),
    summary="Verify an address by a code",
)
async def verify_destination(request: HttpRequest, external_id: str, destination_id: int) -> HttpResponse:
    """Without `code`: send one to the address, good for 15 minutes. With it: the address is verified."""
    answer = await sync_to_async(_begun)(request, external_id, destination_id)
    if isinstance(answer, HttpResponse):
        return answer
    return await _sent(answer)


def _begun(request: HttpRequest, external_id: str, pk: int) -> HttpResponse | Prepared:
    try:
        return _started_or_confirmed(request, external_id, pk)
    finally:
        connection.close()  # none is held while the provider answers


@commits_noticed()
def _started_or_confirmed(request: HttpRequest, external_id: str, pk: int) -> HttpResponse | Prepared:
    caller: Caller = request.auth  # type: ignore[attr-defined]
    person = person_meant(caller, external_id)
    if person is None:
        return not_found()
    code = people.checked_object(people.CODE, json_body(request), "")["code"] if request.body else ""
    try:
        if code:
            return JsonResponse(destination_json(verification.confirm(person, pk, code, now=clock.now())))
        return verifying.prepare(person, pk, now=clock.now())
    except WrongCode as error:
        return problem("code_wrong", _advice(error.tries_left), field="code", tries_left=error.tries_left)
    except TooMany as error:
        headers = {"Retry-After": str(error.retry_after_s)}
        return problem("too_many_codes", "Enter the latest code, or ask again later.", headers=headers)


def _advice(tries_left: int) -> str:
    if tries_left:
        return "This is not the latest code that was sent to this address. Enter that one."
    return "This was not the code either, and the last try: ask for a new one."


async def _sent(prepared: Prepared) -> HttpResponse:
    try:
        await verifying.send(prepared)
    except PermanentError as error:
        detail = f"The code could not be sent: {error.reason}. Correct the address, or ask the operator."
        return problem("address_refused", detail, outcome=error.outcome)
    except TransportError as error:
        await sync_to_async(_withdrawn)(prepared.started.pk)
        detail = f"The code could not be sent now: {error.reason}. Ask for another."
        return problem("code_not_sent", detail, headers={"Retry-After": "5"}, outcome=error.outcome)
    return JsonResponse({"expires_at": to_ms(prepared.started.expires_at)}, status=202)


def _withdrawn(pk: int) -> None:
    try:
        verification.withdraw(pk)
    finally:
        connection.close()
