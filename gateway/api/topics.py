"""`/users/{id}/topics`: what a person follows, asked by the person or, with scope `admin`, by a source."""

from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router
from typing_extensions import TypedDict

from gateway.auth.callers import Caller, KeyOrPerson, person_meant
from gateway.codec.problems import problem
from notifications.topics import subscriptions
from runtime.postgres import clock
from runtime.postgres.commits import commits_noticed
from users.models import User

router = Router(auth=KeyOrPerson("admin"))


class Topics(TypedDict):
    topics: list[str]


Asked = Callable[[User, bool], list[str] | subscriptions.Refused]


@router.get("/{external_id}/topics", response=Topics, summary="The topics that a person follows")
async def list_topics(request: HttpRequest, external_id: str) -> HttpResponse:
    """Return those that they follow and may follow now. People ask for themselves as `me`."""
    return await _answer(request, external_id, lambda person, _: subscriptions.followed(person.pk))


@router.put("/{external_id}/topics/{topic}", response=Topics, summary="Follow a topic")
async def follow_topic(request: HttpRequest, external_id: str, topic: str) -> HttpResponse:
    """Let the person follow the topic, on all of their sockets, until they unsubscribe. Idempotent."""

    def follow(person: User, by_source: bool) -> list[str] | subscriptions.Refused:
        change = subscriptions.subscribe(person.pk, [topic], now=clock.now(), by_source=by_source)
        return change.refused[0] if change.refused else change.topics

    return await _answer(request, external_id, follow)


@router.delete("/{external_id}/topics/{topic}", response=Topics, summary="Follow a topic no more")
async def leave_topic(request: HttpRequest, external_id: str, topic: str) -> HttpResponse:
    """Let the person follow the topic no more. Idempotent."""
    return await _answer(
        request, external_id, lambda person, _: subscriptions.unsubscribe(person.pk, [topic])
    )


async def _answer(request: HttpRequest, external_id: str, ask: Asked) -> HttpResponse:
    caller: Caller = request.auth  # type: ignore[attr-defined]
    return await sync_to_async(_asked)(caller, external_id, ask)


@commits_noticed()
def _asked(caller: Caller, external_id: str, ask: Asked) -> HttpResponse:
    person = person_meant(caller, external_id)
    if person is None or not person.is_active:
        return problem("not_found", "Nobody has this id, or it is not you.")
    found: Any = ask(person, caller.key is not None)
    if isinstance(found, subscriptions.Refused):
        return problem(found.code, found.detail, field="topic")
    return JsonResponse({"topics": found})
