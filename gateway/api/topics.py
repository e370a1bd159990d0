"""`/users/{id}/topics`: what a person follows, asked by the person or, with scope `admin`, by a source."""

from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from ninja import Router

from gateway.auth import AuthFailed, SourceKey, person_of_session
from gateway.problems import problem
from notifications import topics
from users.models import User

router = Router()

_source_key = SourceKey("admin")


@router.get("/{external_id}/topics", auth=None, summary="The topics that a person follows")
async def list_topics(request: HttpRequest, external_id: str) -> HttpResponse:
    """Return those that they follow and may follow now. The person asks as `me`, with a browser session."""
    return await _answer(request, external_id, lambda person, _: topics.followed(person.pk))


@router.put("/{external_id}/topics/{topic}", auth=None, summary="Follow a topic")
async def follow_topic(request: HttpRequest, external_id: str, topic: str) -> HttpResponse:
    """Let the person follow the topic, on all of their sockets, until they unsubscribe. Idempotent."""

    def follow(person: User, by_source: bool) -> list[str] | topics.Refused:
        change = topics.subscribe(person.pk, [topic], now=timezone.now(), by_source=by_source)
        return change.refused[0] if change.refused else change.topics

    return await _answer(request, external_id, follow)


@router.delete("/{external_id}/topics/{topic}", auth=None, summary="Follow a topic no more")
async def leave_topic(request: HttpRequest, external_id: str, topic: str) -> HttpResponse:
    """Let the person follow the topic no more. Idempotent."""
    return await _answer(request, external_id, lambda person, _: topics.unsubscribe(person.pk, [topic]))


async def _answer(
    request: HttpRequest,
    external_id: str,
    ask: Callable[[User, bool], list[str] | topics.Refused],
) -> HttpResponse:
    by_source = "Authorization" in request.headers
    if by_source:
        await _source_key(request)
    return await sync_to_async(_asked)(request, external_id, by_source, ask)


def _asked(
    request: HttpRequest,
    external_id: str,
    by_source: bool,
    ask: Callable[[User, bool], list[str] | topics.Refused],
) -> HttpResponse:
    person = _named(external_id) if by_source else _oneself(request, external_id)
    if person is None:
        return problem("not_found", "Nobody has this id, or it is not you.")
    found: Any = ask(person, by_source)
    if isinstance(found, topics.Refused):
        return problem(found.code, found.detail, field="topic")
    return JsonResponse({"topics": found})


def _named(external_id: str) -> User | None:
    if "\0" in external_id:
        return None  # Postgres has no such text
    return User.objects.filter(external_id=external_id, is_active=True).first()


def _oneself(request: HttpRequest, external_id: str) -> User | None:
    person = person_of_session(request)
    if person is None:
        raise AuthFailed("not_signed_in", "Sign in first, or send a key with the scope admin.")
    return person if external_id in {"me", person.external_id} else None
