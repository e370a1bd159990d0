"""Admin pages of sources and their keys."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.forms import MultipleChoiceField
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from users import keys
from users.models import ApiKey, Source


@admin.register(Source)
class SourceAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ("name", "enabled", "max_priority", "allow_stream", "live_keys", "created_at")
    list_filter = ("enabled", "max_priority", "allow_stream", "may_create_people", "may_vouch")
    search_fields = ("name",)
    readonly_fields = ("created_at",)
    actions = ("issue_publish_key", "issue_people_key", "issue_admin_key", "issue_test_key")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Source]:
        sources: QuerySet[Source] = super().get_queryset(request)
        return sources.annotate(live_key_count=Count("api_keys", filter=Q(api_keys__revoked_at__isnull=True)))

    @admin.display(description="live keys", ordering="live_key_count")
    def live_keys(self, source: Source) -> int:
        return int(source.live_key_count)  # type: ignore[attr-defined]

    @admin.action(description="Issue a key (publish, read)")
    def issue_publish_key(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        self._issue(request, queryset, ["publish", "read"])

    @admin.action(description="Issue a key (publish, read, people)")
    def issue_people_key(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        self._issue(request, queryset, ["publish", "read", "people"])

    @admin.action(description="Issue a key (publish, read, people, admin)")
    def issue_admin_key(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        self._issue(request, queryset, ["publish", "read", "people", "admin"])

    @admin.action(description="Issue a test key: its events are simulated, nothing is sent")
    def issue_test_key(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        self._issue(request, queryset, ["publish", "read"], test=True)

    def _issue(
        self, request: HttpRequest, queryset: QuerySet[Source], scopes: list[str], *, test: bool = False
    ) -> None:
        for source in queryset:
            key = keys.issue(source, scopes, note=f"issued by {request.user}", test=test)
            messages.success(request, f"Key of {source.name}, shown only now: {key}")


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = (
        "__str__",
        "source",
        "note",
        "test",
        "scopes",
        "created_at",
        "last_used_at",
        "expires_at",
        "revoked_at",
    )
    list_filter = ("source", "test", ("revoked_at", admin.EmptyFieldListFilter))
    search_fields = ("prefix", "source__name", "note")
    readonly_fields = ("source", "prefix", "test", "created_at", "last_used_at")
    list_select_related = ("source",)
    actions = ("rotate", "revoke")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name != "scopes":
            return super().formfield_for_dbfield(db_field, request, **kwargs)
        choices = [(scope, scope) for scope in ApiKey.SCOPES]
        return MultipleChoiceField(choices=choices, widget=UnfoldAdminCheckboxSelectMultipleWidget)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # an action of the source issues keys: the secret is shown once and never stored

    @admin.action(description="Rotate: issue a successor; this key ends in 24 hours")
    def rotate(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for key in queryset.select_related("source"):
            try:
                made = keys.rotate(key.prefix, now=timezone.now())
            except keys.NotLive:
                messages.error(request, f"{key} is revoked or has expired: issue a new one at its source.")
            else:
                messages.success(request, f"Successor of {key} of {key.source}, shown only now: {made}")

    @admin.action(description="Revoke")
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        count = queryset.filter(revoked_at__isnull=True).update(revoked_at=timezone.now())
        messages.success(request, f"{count} revoked.")
