"""The HTTP ingress of hooks: `POST /api/v1/hooks/{normalizer}/{token}`, before Django's request cycle.

Whatever is asked at such a path is answered here, so that no log of Django's has a token. The token may stand
in the header `Authorization: Bearer …` instead.
"""

import contextlib
import logging
from io import BytesIO
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse

from gateway.auth.bearer import AuthFailed
from gateway.codec.limits import BATCH_BYTES, HOOK_PATH, InvalidEvent
from gateway.codec.problems import commit_unknown, from_malformed, not_allowed, problem, unavailable
from gateway.hub.threads import publishing
from gateway.ingress.asgi import Gone, read_body, refused_host, send_answer
from gateway.ingress.batching import batched
from gateway.ingress.hooks import HookRequest, http_answer, take
from gateway.ingress.publishing import OutcomeUnknown
from gateway.server.arrivals import body_refusal
from gateway.server.flow import Application, Receive
from runtime.batching import Unavailable
from runtime.loops import per_loop

log = logging.getLogger(__name__)

_TOGETHER = 50  # requests of one call: each may have many events
_PATIENCE_S = 5.0
_OF_A_FORMAT = ("ce-",)  # headers that a format reads

_NOTHING = "The database cannot be reached; nothing was accepted. Send it again."
_NOT_KNOWN = (
    "The database went away while it was committing, so it is not known whether this was accepted. Send it"
    " again: what was accepted is answered as a duplicate."
)

_gathering = per_loop(lambda: batched(take, publishing, weight=_TOGETHER, patience_s=_PATIENCE_S))


_OURS = {"POST", "OPTIONS"}


def hooks(django: Application) -> Application:
    """Return `django` with the hooks in front of it."""

    async def run(scope: dict[str, Any], receive: Receive, send: Any) -> None:
        path = HOOK_PATH.fullmatch(scope["path"].removeprefix(scope.get("root_path", "")))
        asks_of_a_hook = path is not None and not path["token"] and scope["method"] not in _OURS
        if path is None or asks_of_a_hook:  # such as `DELETE /hooks/{id}`
            await django(scope, receive, send)
            return
        with contextlib.suppress(Gone):
            await send_answer(await _answer(scope, receive, path["normalizer"], path["token"] or ""), send)

    return run


async def _answer(scope: dict[str, Any], receive: Receive, normalizer: str, token: str) -> HttpResponse:
    """Return the answer to one request. Raises: `Gone`."""
    request = ASGIRequest(scope, BytesIO())
    if refused := refused_host(request):
        return refused
    if request.method == "OPTIONS":
        return _may_post(request)
    if request.method != "POST":
        detail = "Systems post here."
        return problem("method_not_allowed", detail, headers={"Allow": "POST, OPTIONS"})
    body = None if body_refusal(scope) else await read_body(receive, BATCH_BYTES)
    try:
        return http_answer(await _gathering().put(_post(request, body, normalizer, token), weight=1))
    except AuthFailed as error:
        return not_allowed(error.code, error.detail)
    except InvalidEvent as error:
        return from_malformed(error)
    except OutcomeUnknown:
        return commit_unknown(_NOT_KNOWN)
    except Unavailable:
        return unavailable(_NOTHING)
    except Exception:
        log.exception("hook_failed")
        return problem("internal", "Our fault, and logged. Send it again.", status=500)


def _may_post(request: HttpRequest) -> HttpResponse:
    """Answer the question of CloudEvents' senders whether they may post here."""
    answer = HttpResponse(headers={"Allow": "POST, OPTIONS"})
    if origin := request.headers.get("WebHook-Request-Origin"):
        answer["WebHook-Allowed-Origin"] = origin
        answer["WebHook-Allowed-Rate"] = "*"
    return answer


def _post(request: HttpRequest, body: bytes | None, normalizer: str, token: str) -> HookRequest:
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    try:
        account = request.GET.get("account", "")
    except SuspiciousOperation:  # more parameters than anybody means
        account = ""
    headers = {name.lower(): value for name, value in request.headers.items()}
    return HookRequest(
        normalizer=normalizer,
        token=token or (bearer if scheme.lower() == "bearer" else ""),
        body=body,
        media_type=headers.get("content-type", ""),
        headers={name: value for name, value in headers.items() if name.startswith(_OF_A_FORMAT)},
        account=account,
        encoding=headers.get("content-encoding", ""),
    )
