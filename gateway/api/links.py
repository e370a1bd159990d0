"""Linking a chat: the person opens a link of theirs, and confirms it in the chat itself."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router
from typing_extensions import TypedDict

from gateway.api.profiles import SCOPES
from gateway.api.shown import Milliseconds, not_found
from gateway.auth.callers import Caller, KeyOrPerson, person_meant
from gateway.codec.problems import Problem, problem
from notifications.bot.calls import bot_name
from notifications.bot.linking import deep_link
from notifications.live.frames import to_ms
from notifications.states import Channel
from notifications.transports.base import TransportError
from runtime.postgres import clock
from runtime.postgres.commits import commits_noticed
from users import linking
from users.models import User
from users.people.tokens import TooMany

router = Router(auth=KeyOrPerson(*SCOPES))


class Link(TypedDict):
    """A deep link, good once, for ten minutes."""

    url: str
    expires_at: Milliseconds


@router.post(
    "/{external_id}/destinations/telegram/link",
    response={201: Link, 409: Problem},
    summary="A deep link that connects a Telegram chat",
)
async def create_link(request: HttpRequest, external_id: str) -> HttpResponse:
    """Return a link that the person opens in Telegram: good once, for ten minutes. For oneself: `me`."""
    caller: Any = request.auth  # type: ignore[attr-defined]
    return await sync_to_async(_link)(caller, external_id)


@commits_noticed()
def _link(caller: Caller, external_id: str) -> HttpResponse:
    person = person_meant(caller, external_id)
    if person is None or not person.is_active:
        return not_found()
    if not settings.TELEGRAM_BOT_TOKEN:
        return problem("channel_off", "There is no Telegram bot here: the operator sets TELEGRAM_BOT_TOKEN.")
    try:
        issued = issue(person)
    except TransportError as error:
        detail = f"The bot's name is not known, as Telegram did not say it ({error.reason}). Try again later."
        return problem("unavailable", detail, headers={"Retry-After": "5"})
    except TooMany as error:
        headers = {"Retry-After": str(error.retry_after_s)}
        return problem("too_many_links", "Use one of the links of the last ten minutes.", headers=headers)
    body: Link = {"url": issued.url, "expires_at": to_ms(issued.expires_at)}
    return JsonResponse(body, status=201)


@dataclass(frozen=True, slots=True)
class Issued:
    url: str
    expires_at: datetime


def issue(person: User) -> Issued:
    """Return a new link for a chat of the person. Raises: `TransportError`, `TooMany`."""
    name = bot_name()
    issued = linking.issue(person, Channel.TELEGRAM, now=clock.now())
    return Issued(deep_link(name, issued.token), issued.expires_at)
