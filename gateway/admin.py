"""What only the gateway can add to the admin of users: their open sockets, and which event types exist."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from gateway import event_type_names
from gateway.auth.logins import AdminLoginForm
from gateway.auth.revocation import announce
from gateway.presence.sockets import Socket, sockets_of
from notifications import dispatch, store
from notifications.admin.templates import MessageTemplateAdmin
from notifications.models import Event, MessageTemplate
from notifications.operations import erasure
from runtime.postgres import clock
from users.admin import ChannelPreferenceAdmin, SourceAdmin, UserAdmin
from users.models import ChannelPreference, Erasure, Source, User
from users.people.erasing import Operator
from users.read_only_admin import ReadOnly
from users.sign_out import sign_out_everywhere

admin.site.unregister([User, ChannelPreference, Source, MessageTemplate])
admin.site.login_form = AdminLoginForm


@admin.register(User)
class LiveUserAdmin(UserAdmin):  # type: ignore[misc]
    actions = ("sign_out", "erase")
    readonly_fields = (*UserAdmin.readonly_fields, "open_sockets", "sessions_valid_from")

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        live = ("Live", {"fields": ("open_sockets", "sessions_valid_from")})
        return fieldsets if obj is None else (*fieldsets, live)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        super().save_formset(request, form, formset, change)
        if formset.model is ChannelPreference:
            saved = [*formset.new_objects, *(row for row, _ in formset.changed_objects)]
            _warn_of_unknown_types(request, (row.event_type for row in saved))

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Let what is held for the person go by the wishes of now, once they are committed."""
        super().save_related(request, form, formsets, change)
        person_id = form.instance.pk
        transaction.on_commit(
            lambda: dispatch.run_effects_later(store.look_again(person_id, now=clock.now()))
        )

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

    @admin.action(description="Sign out everywhere")
    def sign_out(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        ended = sign_out_everywhere(queryset, now=clock.now())
        announce(ended)
        messages.success(request, f"Signed out: {len(ended)}. Open pages are closed within a minute.")

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


@admin.register(ChannelPreference)
class CheckedPreferenceAdmin(ChannelPreferenceAdmin):  # type: ignore[misc]
    def save_model(self, request: HttpRequest, obj: ChannelPreference, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        _warn_of_unknown_types(request, [obj.event_type])


@admin.register(Source)
class CheckedSourceAdmin(SourceAdmin):  # type: ignore[misc]
    def save_model(self, request: HttpRequest, obj: Source, form: Any, change: bool) -> None:
        # Before the row names its types itself: a misspelled one would be known then.
        _warn_of_unknown_types(request, set(obj.event_types) - set(form.initial.get("event_types") or ()))
        super().save_model(request, obj, form, change)


@admin.register(MessageTemplate)
class CheckedTemplateAdmin(MessageTemplateAdmin):  # type: ignore[misc]
    def save_model(self, request: HttpRequest, obj: MessageTemplate, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not obj.is_family:
            _warn_of_unknown_types(request, [obj.event_type])


def _warn_of_unknown_types(request: HttpRequest, names: Iterable[str]) -> None:
    for text in sorted(filter(None, map(event_type_names.warning, set(names)))):
        messages.warning(request, f"Saved. {text}")


def _line(socket: Socket) -> str:
    confirmed = "never" if socket.confirmed_ms is None else _time(socket.confirmed_ms)
    device = socket.device or "unknown device"
    return f"{device}, since {_time(socket.since_ms)}, last confirmation {confirmed}, on {socket.gateway}"


def _time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
