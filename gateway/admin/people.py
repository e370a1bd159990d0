"""Persons in the admin: the list with its actions, and the first tab of a person's page."""

from datetime import UTC, datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from gateway.admin import addresses, history, person_events, preferences, tabs
from gateway.admin.bulk import BulkActions
from gateway.auth.logins import AdminLoginForm
from gateway.presence.sockets import Socket, sockets_of
from notifications.models import Event
from notifications.operations import erasure
from runtime.postgres import clock
from users.admin import UserAdmin
from users.models import Erasure, User
from users.people.erasing import Operator
from users.read_only_admin import ReadOnly

admin.site.unregister(User)
admin.site.login_form = AdminLoginForm


@admin.register(User)
class LiveUserAdmin(BulkActions, UserAdmin):  # type: ignore[misc]
    change_form_template = "admin/users/person/profile.html"
    actions = (*BulkActions.actions, "erase")
    readonly_fields = (  # type: ignore[assignment]
        *UserAdmin.readonly_fields,
        "open_sockets",
        "sessions_valid_from",
    )

    def get_urls(self) -> list[URLPattern]:
        pages = (addresses, preferences, person_events, history)
        own = [
            path(
                f"<int:pk>/{page.TAB}/", tabs.view(self, page.answer, page.TAB), name=f"users_user_{page.TAB}"
            )
            for page in pages
        ]
        return [*own, *super().get_urls()]

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        live = ("Signed in", {"fields": ("open_sockets", "sessions_valid_from")})
        return fieldsets if obj is None else (*fieldsets[:-1], live, fieldsets[-1])

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        person = kwargs.get("obj")
        if person is not None:
            context["person_tabs"] = tabs.of(self, request, person, "change")
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="open sockets")
    def open_sockets(self, user: User) -> str | SafeString:
        found = sockets_of(user.pk)
        if found is None:
            return "unknown: Redis is unavailable"
        if not found:
            return "none"
        return format_html(
            "<ul>{}</ul>", format_html_join("", "<li>{}</li>", ((_line(one),) for one in found))
        )

    def has_erase_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("users.delete_user")

    @admin.action(description="Erase…", permissions=["erase"])
    def erase(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        """Ask first; erase once the operator has confirmed. Nobody erases themselves by this."""
        living = queryset.filter(erased_at=None).order_by("external_id")
        people = [one for one in living if one.pk != request.user.pk]
        if not people:
            messages.warning(request, "Nobody was erased: choose somebody else than yourself.")
            return None
        if "confirmed" not in request.POST:
            context = self.admin_site.each_context(request) | {
                "title": "Erase people",
                "opts": self.model._meta,
                "people": people,
                "events": Event.objects.filter(person__in=people).count(),
                "fields": [("action", "erase"), *((ACTION_CHECKBOX_NAME, one.pk) for one in people)],
                "back": reverse("admin:users_user_changelist"),
            }
            return TemplateResponse(request, "admin/users/user/erase.html", context)
        by = Operator(Erasure.Surface.ADMIN, request.user.get_username())
        orders = [erasure.begin(one.pk, by=by, now=clock.now()) for one in people]
        messages.success(request, f"{len(orders)} will be erased. Nothing is sent to them any more.")
        return None


@admin.register(Erasure)
class ErasureAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = ("at", "person", "who", "surface", "events", "finished_at")
    list_filter = ("surface", ("finished_at", admin.EmptyFieldListFilter))
    list_select_related = ("person",)
    search_fields = ("who", "=person__external_id")
    fields = ("id", "person", "at", "who", "surface", "events", "quiet_at", "finished_at")


def _line(socket: Socket) -> str:
    confirmed = "never" if socket.confirmed_ms is None else _time(socket.confirmed_ms)
    device = socket.device or "unknown device"
    return f"{device}, since {_time(socket.since_ms)}, last confirmation {confirmed}, on {socket.gateway}"


def _time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
