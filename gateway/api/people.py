"""What concerns one person: a ticket for their socket, whether they can be reached, signing them out."""

from datetime import timedelta

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router
from typing_extensions import TypedDict

from gateway.api.bodies import json_body
from gateway.api.openapi.bodies import body
from gateway.api.reachability import Reachability, reachability
from gateway.api.shown import Milliseconds
from gateway.auth import tickets
from gateway.auth.callers import Caller, KeyOrPerson, check_rule, person_meant
from gateway.auth.credentials import of_session
from gateway.auth.revocation import announce
from gateway.auth.tickets import Grant, TicketsUnavailable
from gateway.codec.limits import InvalidEvent
from gateway.codec.people import checked_object
from gateway.codec.problems import Problem, problem
from gateway.codec.schema import Field, text
from gateway.settings import edge_settings
from notifications.live.frames import to_ms
from runtime.postgres import clock
from runtime.postgres.commits import commits_noticed
from users.models import User
from users.sign_out import sign_out_everywhere

router = Router()

_RETRY_AFTER_S = 5

_TICKET_SESSION_S = 3_600  # a socket signed in by an API key's ticket ends after this unless renewed


class Ticket(TypedDict):
    """Good once, for so many seconds."""

    ticket: str
    expires_in: int


class SignedOut(TypedDict):
    user_id: str
    revoked_at: Milliseconds


_TICKET = (Field("user_id", text(128), "the person; needed with an API key"),)


@router.post(
    "/tickets",
    auth=KeyOrPerson("tickets"),
    response={201: Ticket, 404: Problem},
    openapi_extra=body("TicketRequest", _TICKET, {"user_id": "demo"}, required=False),
    summary="A single-use ticket for a WebSocket",
)
async def create_ticket(request: HttpRequest) -> HttpResponse:
    """Return a ticket for oneself, or with an API key for the person in `user_id`."""
    try:
        return await sync_to_async(_ticket)(request, request.auth)  # type: ignore[attr-defined]
    except TicketsUnavailable:
        detail = "Tickets need Redis, which cannot be reached. Try again later."
        return problem("unavailable", detail, headers={"Retry-After": str(_RETRY_AFTER_S)})


def _ticket(request: HttpRequest, caller: Caller) -> HttpResponse:
    wanted = checked_object(_TICKET, json_body(request), "")["user_id"] if request.body else ""
    if wanted:
        check_rule(caller, wanted)
    person = caller.person if caller.key is None else _named(wanted)
    if person is None or wanted not in {"", person.external_id}:
        return _not_found()
    issued: Ticket = {
        "ticket": tickets.issue(_grant(request, caller, person)),
        "expires_in": edge_settings().ticket_s,
    }
    return JsonResponse(issued, status=201)


def _named(user_id: str) -> User | None:
    if not user_id:
        raise InvalidEvent("missing_field", "An API key names the person.", "user_id")
    return _active(user_id)


def _active(external_id: str) -> User | None:
    return User.objects.filter(external_id=external_id, is_active=True).first()


def _grant(request: HttpRequest, caller: Caller, person: User) -> Grant:
    """Return what the ticket is worth: no more, and no longer, than what it was asked for with."""
    now = clock.now()
    if caller.key is not None:
        ends_at = now + timedelta(seconds=_TICKET_SESSION_S)
        return Grant(person.pk, to_ms(now), to_ms(ends_at))
    if caller.token is not None:
        return Grant(person.pk, to_ms(caller.token.issued_at), to_ms(caller.token.expires_at))
    session = of_session(person, request.session.session_key or "")
    return Grant(person.pk, to_ms(now), to_ms(session.expires_at), session.session_key)


@router.get(
    "/users/{external_id}/reachability",
    auth=KeyOrPerson("read"),
    response=Reachability,
    summary="What would reach a person now",
)
async def get_reachability(request: HttpRequest, external_id: str) -> HttpResponse:
    """Return open sockets and usable channels. People ask for themselves as `me`."""
    person = await sync_to_async(person_meant)(request.auth, external_id)  # type: ignore[attr-defined]
    if person is None:
        return _not_found()
    return JsonResponse(await sync_to_async(reachability)(person))


@router.post(
    "/users/{external_id}/revoke",
    auth=KeyOrPerson("admin"),
    response=SignedOut,
    summary="Sign a person out everywhere",
)
async def revoke(request: HttpRequest, external_id: str) -> HttpResponse:
    """End the person's browser sessions, tokens, tickets and open sockets."""
    return await sync_to_async(_revoke)(request.auth, external_id)  # type: ignore[attr-defined]


@commits_noticed()
def _revoke(caller: Caller, external_id: str) -> HttpResponse:
    person, now = person_meant(caller, external_id), clock.now()
    if person is None:
        return _not_found()
    announce(sign_out_everywhere(User.objects.filter(pk=person.pk), now=now))
    done: SignedOut = {"user_id": person.external_id, "revoked_at": to_ms(now)}
    return JsonResponse(done)


def _not_found() -> HttpResponse:
    return problem("not_found", "There is no such person, or it is not yours to ask.")
