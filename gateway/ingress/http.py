"""The HTTP ingress: `POST /api/v1/events` and `/api/v1/events/batch`, before Django's request cycle.

A publish has a key and a body, and needs no session, cookie or page: Django's middleware and a thread for
each request cost several times what the event itself does. Everything else goes on to Django.
"""

import asyncio
import contextlib
import logging
from io import BytesIO
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse

from gateway.auth.bearer import AuthFailed
from gateway.auth.key_rates import RateLimited
from gateway.codec.limits import PUBLISH, PUBLISH_BATCH, InvalidEvent, body_limit
from gateway.codec.problems import commit_unknown, not_allowed, problem, unavailable
from gateway.hub.threads import publishing
from gateway.hub.waiting import until_final
from gateway.ingress import publishing as posts
from gateway.ingress.asgi import Gone, read_body, refused_host, send_answer
from gateway.ingress.batching import batched
from gateway.ingress.publishing import OutcomeUnknown, PublishRequest
from gateway.server.arrivals import body_refusal
from gateway.server.flow import Application, Receive
from notifications.events import Ack
from runtime.batching import Unavailable
from runtime.loops import per_loop
from runtime.postgres.away import DATABASE_AWAY

log = logging.getLogger(__name__)

_DJANGOS = frozenset({"GET", "HEAD", "OPTIONS"})
_TOGETHER = 500  # events of one call
_PATIENCE_S = 5.0  # until a thread is free; as long as for a connection of the pool

_NOTHING = "The database cannot be reached; nothing was accepted. Send it again with the same event_id."
_NOT_KNOWN = (
    "The database went away while it was committing, so it is not known whether this was accepted."
    " Send it again with the same event_id: what was accepted is answered as a duplicate."
)

_gathering = per_loop(lambda: batched(posts.take, publishing, weight=_TOGETHER, patience_s=_PATIENCE_S))


def ingress(django: Application) -> Application:
    """Return `django` with publishing in front of it."""

    async def run(scope: dict[str, Any], receive: Receive, send: Any) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        publishing_path = path in {PUBLISH, PUBLISH_BATCH} and scope["method"] not in _DJANGOS
        if refused := _unread(body_refusal(scope), path, publishing_path=publishing_path):
            await send_answer(refused, send)
        elif not publishing_path:
            await django(scope, receive, send)
        elif scope["method"] == "POST":
            with contextlib.suppress(Gone):
                await send_answer(await _answer(scope, receive, many=path == PUBLISH_BATCH), send)
        else:
            detail = "POST publishes, GET asks."
            await send_answer(problem("method_not_allowed", detail, headers={"Allow": "GET, POST"}), send)

    return run


def _unread(refusal: str, path: str, *, publishing_path: bool) -> HttpResponse | None:
    """Return the answer to a request whose body the server has not read; a publish is first asked its key."""
    if refusal == "too_large" and not publishing_path:
        return problem("too_large", f"At most {body_limit(path, with_key=True)} bytes.")
    if refusal == "request_timeout":
        return problem("request_timeout", "The body did not arrive in time; send it again.")
    if refusal == "busy":
        detail = "Too many requests are being received; nothing was accepted. Send it again."
        return problem("busy", detail, headers={"Retry-After": "1"})
    return None


async def _answer(scope: dict[str, Any], receive: Receive, *, many: bool) -> HttpResponse:
    """Return the answer to one request. Raises: `Gone`."""
    path = PUBLISH_BATCH if many else PUBLISH
    body = None if body_refusal(scope) else await read_body(receive, body_limit(path, with_key=True))
    request = ASGIRequest(scope, BytesIO())  # its headers and its query; the body is ours
    try:
        return _refusal(request) or await _published(_post(request, body, many=many), receive)
    except Gone:
        raise
    except AuthFailed as error:
        return not_allowed(error.code, error.detail)
    except RateLimited as error:
        return error.answer()
    except OutcomeUnknown:
        return commit_unknown(_NOT_KNOWN)
    except Unavailable:
        return unavailable(_NOTHING)
    except Exception:
        log.exception("publish_failed")
        detail = "Our fault, and logged. Send it again with the same event_id: it may have been accepted."
        return problem("internal", detail, status=500)


def _refusal(request: HttpRequest) -> HttpResponse | None:
    """Return why a publish is not even looked at, or None."""
    if refused := refused_host(request):
        return refused
    if "Authorization" not in request.headers:
        return not_allowed("missing_key", "Send the header Authorization: Bearer tsn_….")
    return None


def _post(request: HttpRequest, body: bytes | None, *, many: bool) -> PublishRequest:
    scheme, _, key = request.headers["Authorization"].partition(" ")
    try:
        wait_s = float(request.GET.get("wait", 0))
    except (ValueError, SuspiciousOperation):  # no number; more parameters than anybody means
        wait_s = float("nan")  # refused, but not before the key is known
    return PublishRequest(
        key=key if scheme.lower() == "bearer" else "",
        media_type=request.content_type or "",
        body=body,
        many=many,
        wait_s=wait_s,
        encoding=request.headers.get("Content-Encoding", ""),
    )


async def _published(post: PublishRequest, receive: Receive) -> HttpResponse:
    """Take the post in and answer it. Raises: `AuthFailed`, `Unavailable`, `Gone`."""
    try:
        acks = await _gathering().put(post, weight=post.weight)
    except InvalidEvent as error:
        return posts.malformed_answer(error, protobuf=post.protobuf)
    if post.many:
        answer = posts.many_answer(acks, protobuf=post.protobuf)
    else:
        ack = await _waited(acks[0], post.wait_s, receive)
        answer = posts.one_answer(ack, protobuf=post.protobuf)
    for name, value in (acks.standing.headers() if acks.standing else {}).items():
        answer[name] = value
    return answer


async def _waited(ack: Ack, wait_s: float, receive: Receive) -> Ack:
    """Return the ack as it stands when the event has ended, or after so many seconds. Raises: `Gone`."""
    if not wait_s or not ack.pk or ack.final:
        return ack
    ended = asyncio.ensure_future(until_final(ack.pk, wait_s, duplicate=ack.duplicate))
    gone = asyncio.ensure_future(receive())  # the body was read: the next message is the producer's end
    try:
        await asyncio.wait({ended, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            raise Gone
        # It is committed: if the database goes away now, the answer is QUEUED and not an error.
        with contextlib.suppress(*DATABASE_AWAY):
            ack = ended.result()
        return ack
    finally:
        for task in (ended, gone):
            task.cancel()
