"""The user page of the admin, with the user's open sockets, which only the gateway knows."""

from datetime import UTC, datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from gateway.auth.revocation import announce
from gateway.presence.sockets import Socket, sockets_of
from runtime.postgres import clock
from users.admin import UserAdmin
from users.models import User
from users.sign_out import sign_out_everywhere

admin.site.unregister(User)


@admin.register(User)
class LiveUserAdmin(UserAdmin):  # type: ignore[misc]
    actions = ("sign_out",)
    readonly_fields = (*UserAdmin.readonly_fields, "open_sockets", "sessions_valid_from")

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        live = ("Live", {"fields": ("open_sockets", "sessions_valid_from")})
        return fieldsets if obj is None else (*fieldsets, live)

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


def _line(socket: Socket) -> str:
    confirmed = "never" if socket.confirmed_ms is None else _time(socket.confirmed_ms)
    device = socket.device or "unknown device"
    return f"{device}, since {_time(socket.since_ms)}, last confirmation {confirmed}, on {socket.gateway}"


def _time(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
