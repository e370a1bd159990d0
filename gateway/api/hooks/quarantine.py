"""`/quarantine`: what a source sent and could not be accepted, and trying it again."""

from typing import Annotated

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Query, Router
from pydantic import Field as Description
from typing_extensions import TypedDict

from gateway.api.shown import Milliseconds
from gateway.auth.bearer import SourceKey
from gateway.codec.problems import problem
from gateway.ingress.retries import try_again
from notifications.live.frames import to_ms
from notifications.models import Quarantine
from runtime.postgres import clock
from users.keys import LiveKey

router = Router(auth=SourceKey("admin"))

_SHOWN_BYTES = 2_000


class Kept(TypedDict):
    id: int
    received_at: Milliseconds
    ingress: str
    hook: int | None
    code: str
    reason: str
    content: Annotated[str, Description(description="The first 2,000 bytes.")]
    size: Annotated[int, Description(description="The number of all bytes.")]


class QuarantinePage(TypedDict):
    quarantine: list[Kept]
    next_cursor: int | None


class Retried(TypedDict):
    id: int
    accepted: bool


@router.get("", response=QuarantinePage, summary="What could not be accepted")
async def list_quarantine(
    request: HttpRequest,
    cursor: int | None = Query(None, ge=1, lt=2**63),  # type: ignore[type-arg]
    limit: int = Query(50, ge=1, le=200),  # type: ignore[type-arg]
) -> HttpResponse:
    """Return a page of what the source sent and is still not accepted, the latest first."""
    return await sync_to_async(_page)(request, cursor, limit)


@router.post("/{int:row_id}/retry", response=Retried, summary="Try it again")
async def retry(request: HttpRequest, row_id: int) -> HttpResponse:
    """Take it in as if it came now. What was accepted of it before is not told twice."""
    return await sync_to_async(_retry)(request, row_id)


def _page(request: HttpRequest, cursor: int | None, limit: int) -> HttpResponse:
    key: LiveKey = request.auth  # type: ignore[attr-defined]
    rows = Quarantine.objects.filter(source_name=key.source_name, resolved_at=None)
    if cursor is not None:
        rows = rows.filter(pk__lt=cursor)
    found = list(rows.order_by("-pk")[: limit + 1])
    page = found[:limit]
    return JsonResponse(
        {
            "quarantine": [_shown(row) for row in page],
            "next_cursor": page[-1].pk if len(found) > limit else None,
        }
    )


def _shown(row: Quarantine) -> Kept:
    return {
        "id": row.pk,
        "received_at": to_ms(row.received_at),
        "ingress": row.ingress,
        "hook": row.hook_id,
        "code": row.code,
        "reason": row.reason,
        "content": bytes(row.content[:_SHOWN_BYTES]).decode(errors="replace"),
        "size": len(row.content),
    }


def _retry(request: HttpRequest, row_id: int) -> HttpResponse:
    key: LiveKey = request.auth  # type: ignore[attr-defined]
    rows = Quarantine.objects.select_related("hook__source").filter(
        pk=row_id, source_name=key.source_name, resolved_at=None
    )
    found = try_again(rows, now=clock.now())
    if row_id not in found:
        return problem("not_found", "Nothing of this source waits in the quarantine under this id.")
    error = found[row_id]
    if error is not None:
        return problem(error.code, error.detail, field=error.field, quarantine_id=row_id)
    return JsonResponse({"id": row_id, "accepted": True})
