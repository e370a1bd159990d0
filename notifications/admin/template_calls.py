"""What the template editor's script asks for: previews, a person's destinations, and a test-send."""

import json
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_GET, require_POST

from notifications.authoring import test_send
from notifications.authoring.preview import Preview, Sample, previews
from notifications.authoring.validation import findings
from notifications.models import MessageTemplate
from notifications.operations.replay import Operator
from notifications.rendering.locales import languages as shipped_languages
from notifications.states import Priority, Surface
from runtime.postgres import clock
from users.models import User

if TYPE_CHECKING:
    from notifications.admin.templates import MessageTemplateAdmin

_PAYLOAD_CHARS = 64 * 1024

Call = Callable[[HttpRequest, MessageTemplate], HttpResponse]


class BadSample(ValueError):
    """The text is no sample; the error says why."""


def urls(page: "MessageTemplateAdmin") -> list[URLPattern]:
    """Return the paths below that of the editor."""

    def guarded(call: Call, *, change: bool) -> Any:
        @wraps(call)
        def view(request: HttpRequest, pk: int) -> HttpResponse:
            template = page.get_object(request, str(pk))
            may = page.has_change_permission if change else page.has_view_or_change_permission
            if template is None or not may(request):
                raise PermissionDenied
            try:
                return call(request, template)
            except BadSample as error:
                return JsonResponse({"problem": str(error)}, status=400)

        return page.admin_site.admin_view(view)

    return [
        path(f"<int:pk>/{name}/", guarded(call, change=change), name=f"template_{name}")
        for name, call, change in (
            ("preview", require_POST(_preview), False),
            ("destinations", require_GET(_destinations), True),
            ("test", require_POST(_test), True),
        )
    ]


def seen_at(text: str) -> datetime | None:
    """Return the time in a form's hidden field."""
    try:
        return parse_datetime(text)
    except ValueError:
        return None


def languages(template: MessageTemplate) -> list[str]:
    """Return the languages to offer for a preview: the template's own first."""
    return list(dict.fromkeys([template.locale or "en", *sorted(shipped_languages()), "de-CH"]))


def _preview(request: HttpRequest, template: MessageTemplate) -> HttpResponse:
    _take_text(request, template)
    shown = previews(template, _sample(request, template), now=clock.now())
    found = [{"level": one.level, "text": str(one)} for one in findings(template)]
    return JsonResponse({"findings": found, "channels": [_shown(one) for one in shown]})


def _shown(one: Preview) -> dict[str, Any]:
    return {
        "name": one.channel.name,
        "label": one.label,
        "title": one.message.title,
        "text": one.message.text,
        "html": one.message.html,
        "uses_draft": one.uses_draft,
        "problem": one.problem,
    }


def _destinations(request: HttpRequest, template: MessageTemplate) -> HttpResponse:
    """List a person's destinations that a test can be sent to; their addresses are masked."""
    name = request.GET.get("person", "").strip()
    rows = test_send.destinations_of(_person(request, name))
    return JsonResponse({"destinations": [{"id": row.pk, "label": str(row)} for row in rows]})


def _test(request: HttpRequest, template: MessageTemplate) -> HttpResponse:
    _take_text(request, template)
    person = _person(request, request.POST.get("person", "").strip())
    given = request.POST.get("destination", "")
    rows = test_send.destinations_of(person)
    chosen = next((row for row in rows if str(row.pk) == given), None)
    if chosen is None:
        raise BadSample("Choose a destination first.")
    by = Operator(Surface.ADMIN, request.user.get_username())
    outcome = test_send.send(template, _sample(request, template), chosen, by=by, now=clock.now())
    return JsonResponse({"sent": outcome.sent, "text": outcome.text})


def _person(request: HttpRequest, external_id: str) -> User:
    """Return the person to send to: oneself, or anybody for those who may see destinations."""
    is_own = external_id == getattr(request.user, "external_id", "")
    if not is_own and not request.user.has_perm("users.view_destination"):
        raise BadSample("You may send tests to yourself only.")
    found = User.objects.filter(external_id=external_id.replace("\0", "")).first()
    if found is None:
        raise BadSample(f"Nobody has the id {external_id[:100]}." if external_id else "Whose address?")
    return found


def _take_text(request: HttpRequest, template: MessageTemplate) -> None:
    """Let the template have the text of the form, without storing it."""
    template.draft_title = request.POST.get("title", "").strip()
    template.draft_body = request.POST.get("body", "").replace("\r\n", "\n").strip()


def _sample(request: HttpRequest, template: MessageTemplate) -> Sample:
    text = request.POST.get("payload", "") or "{}"
    if len(text) > _PAYLOAD_CHARS:
        raise BadSample("The payload is longer than 64 KiB.")
    try:
        payload = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadSample(f"The payload is not JSON: {error}") from None
    if not isinstance(payload, dict):
        raise BadSample("The payload is a JSON object.")
    critical = request.POST.get("priority") == Priority.CRITICAL.name
    return Sample(
        event_type=request.POST.get("event_type", "")[:100] or template.event_type,
        payload=payload,
        locale=request.POST.get("locale", "")[:35] or "en",
        time_zone=request.POST.get("time_zone", "")[:64] or "UTC",
        priority=Priority.CRITICAL if critical else Priority.NORMAL,
    )
