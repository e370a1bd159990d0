"""Dead letters with their reasons, their replay after a confirmation page, and the audit of replays."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action

from notifications import dispatch
from notifications.acks import reasons
from notifications.admin.events import EventAdmin
from notifications.models import DeadLetter, Event, Replay
from notifications.operations.replay import Operator, preview, replay
from notifications.operations.search import EventFilter
from notifications.states import EventState, Surface
from runtime.postgres import clock
from users.read_only_admin import ReadOnly

LIST = "admin:notifications_deadletter_changelist"


@admin.register(DeadLetter)
class DeadLetterAdmin(EventAdmin):
    list_display = ("event_id", "event_type", "person", "priority", "why", "code", "replay_count", "final_at")
    list_filter = ("priority", "source", "code", "deliveries__failure_kind", "event_type")
    date_hierarchy = "final_at"
    actions = ("replay_selected",)
    actions_list = ("replay_matching",)

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Event]":
        failed: QuerySet[Event] = (
            super().get_queryset(request).filter(state=EventState.FAILED, person__erased_at=None)
        )
        # A filter by deliveries makes the admin's list DISTINCT, which json columns cannot be.
        return failed.prefetch_related("deliveries").defer("payload", "words")

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("notifications.change_deadletter")

    @admin.display(description="reason for each channel")
    def why(self, event: Event) -> SafeString:
        lines = ((channel.name, reason) for channel, reason in reasons(event, event.deliveries.all()))
        return format_html_join("", "<div>{}: {}</div>", lines)

    @admin.action(description="Replay selected", permissions=["replay"])
    def replay_selected(self, request: HttpRequest, queryset: "QuerySet[Event]") -> HttpResponse:
        fields = [(name, value) for name, values in request.POST.lists() for value in values]
        return self._replay(request, queryset, "selected", fields)

    @action(  # type: ignore[untyped-decorator]
        description="Replay all that match this filter", permissions=["replay"], url_path="replay"
    )
    def replay_matching(self, request: HttpRequest) -> HttpResponse:
        if not self.has_replay_permission(request):
            raise PermissionDenied
        try:
            matching = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:
            messages.error(request, "This filter is not valid; nothing was sent.")
            return HttpResponseRedirect(reverse(LIST))
        return self._replay(request, matching, f"matching {request.GET.urlencode() or 'all'}", [])

    def _replay(
        self, request: HttpRequest, events: "QuerySet[Event]", asked: str, fields: list[tuple[str, Any]]
    ) -> HttpResponse:
        """Show the count first; replay once the operator has confirmed."""
        which = EventFilter(pks=tuple(events.order_by().values_list("pk", flat=True).distinct()), asked=asked)
        if not which.pks:
            messages.warning(request, "No dead letter matches; nothing was sent.")
            return HttpResponseRedirect(reverse(LIST))
        if "confirmed" not in request.POST:
            return self._ask(request, which, fields)
        force = "force" in request.POST
        by = Operator(Surface.ADMIN, request.user.get_username())
        done = replay(which, by=by, now=clock.now(), force=force)
        dispatch.run_effects_later(done.effects)
        left = ", ".join(f"{count} {reason}" for reason, count in sorted(done.skipped.items()))
        messages.success(request, f"{done.count} accepted again." + (f" Skipped: {left}." if left else ""))
        return HttpResponseRedirect(reverse(LIST))

    def _ask(self, request: HttpRequest, which: EventFilter, fields: list[tuple[str, Any]]) -> HttpResponse:
        kept = [(name, value) for name, value in fields if name != "csrfmiddlewaretoken"]
        unforced = preview(which, force=False)
        context = self.admin_site.each_context(request) | {
            "title": "Replay dead letters",
            "opts": self.model._meta,
            "unforced": unforced,
            "skipped": sorted(unforced.skipped.items()),
            "forced": preview(which, force=True),
            "fields": kept,
            "back": reverse(LIST),
        }
        return TemplateResponse(request, "admin/notifications/deadletter/replay.html", context)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Add the list's filter to the button above it."""
        response: HttpResponse = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None) or {}
        for item in context.get("actions_list", ()):
            item["path"] = f"{item['path']}?{request.GET.urlencode()}"
        return response


class ReplayedInline(ReadOnly, TabularInline):  # type: ignore[misc]
    model = Event
    fk_name = "replay"
    verbose_name_plural = "events whose last replay this was"
    extra = 0
    per_page = 50
    show_change_link = True
    fields = ("event_id", "person", "event_type", "state", "code", "replay_count")


@admin.register(Replay)
class ReplayAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = ("at", "who", "surface", "count", "forced", "outcome", "paced_until")
    list_filter = ("surface", "forced", "who")
    search_fields = ("=id", "who")
    date_hierarchy = "at"
    fields = ("id", "at", "who", "surface", "filter", "forced", "count", "outcome", "paced_until")
    inlines = (ReplayedInline,)

    @admin.display(description="delivered")
    def outcome(self, row: Replay) -> SafeString:
        done = row.events.filter(state=EventState.DELIVERED).count()
        return format_html("{} of {}", done, row.count)
