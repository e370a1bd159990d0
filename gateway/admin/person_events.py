"""The tab of a person's events, the newest first: each leads to its timeline."""

from typing import Any

from django.http import HttpResponse

from gateway.admin.tabs import Visit
from notifications.acks import reasons
from notifications.models import Event
from notifications.states import Channel, EventState, Priority

TAB = "events"
_ON_A_PAGE = 50


def answer(visit: Visit) -> HttpResponse:
    """Show a page of events before the `seq` in `before`, in the order of the person's inbox."""
    before = visit.request.GET.get("before", "")
    found = Event.objects.filter(person=visit.person).order_by("-seq").select_related("source")
    if before.isdecimal() and int(before) < 2**63:
        found = found.filter(seq__lt=int(before))
    events = list(found.defer("payload", "words", "raw").prefetch_related("deliveries")[: _ON_A_PAGE + 1])
    shown = events[:_ON_A_PAGE]
    return visit.page(
        lines=[_line(event) for event in shown],
        next_before=shown[-1].seq if len(events) > _ON_A_PAGE else None,
        is_first=not before,
    )


def _line(event: Event) -> dict[str, Any]:
    failed = event.state == EventState.FAILED
    why = reasons(event, event.deliveries.all()) if failed else []
    return {
        "event": event,
        "priority": Priority(event.priority).name,
        "via": "" if event.delivered_via is None else Channel(event.delivered_via).name,
        "why": [f"{channel.name}: {reason}" for channel, reason in why],
        "level": {EventState.DELIVERED: "ok", EventState.FAILED: "error"}.get(
            EventState(event.state), "warn"
        ),
    }
