"""Admin pages of users, their destinations and preferences, and of sources and their keys."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import Count, Q, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin, StackedInline, TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminTextInputWidget

from users import channel_choices, keys
from users.encryption import digests
from users.incident_admin import UndoIncident, operator
from users.models import ApiKey, ChannelPreference, Destination, DestinationQuerySet, Source, User
from users.reactivation import enable
from users.wishes_admin import WISHES

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc]
    """A topic rule can name a group."""


def _address_field(field: Any) -> Any:
    field.widget = UnfoldAdminTextInputWidget()
    field.help_text = f"{channel_choices.address_hints()}. {field.help_text}"
    return field


class DestinationForm(ModelForm):  # type: ignore[type-arg]
    def clean(self) -> Any:
        """What an operator decides about a destination takes precedence over a provider's refusal."""
        if {"disabled_at", "disabled_reason"} & set(self.changed_data):
            self.instance.recheck_at, self.instance.rechecks = None, 0
        return super().clean()


class DestinationInline(StackedInline):  # type: ignore[misc]
    model = Destination
    form = DestinationForm
    extra = 0
    fields = (("kind", "address", "label"), "verified_at", ("disabled_at", "disabled_reason"), "sources")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        return _address_field(field) if db_field.name == "address" else field


class ChannelPreferenceInline(TabularInline):  # type: ignore[misc]
    model = ChannelPreference
    extra = 0
    fields = ("event_type", "group", "channel", "position", "enabled", "min_priority")


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[misc, type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("external_id", "username", "reachable_by", "time_zone", "is_staff", "is_active")
    list_filter = ("is_staff", "is_active", "destinations__kind", "time_zone")
    search_fields = ("external_id", "username", "email")
    ordering = ("external_id",)
    inlines = (ChannelPreferenceInline, *WISHES, DestinationInline)
    fieldsets = (
        (None, {"fields": ("external_id", "username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email", "time_zone", "locale")}),
        ("Rights", {"fields": (("is_active", "is_staff", "is_superuser"), "groups", "user_permissions")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("external_id", "username", "password1", "password2")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        usable = Q(destinations__verified_at__isnull=False, destinations__disabled_at__isnull=True)
        people: QuerySet[User] = super().get_queryset(request)
        return people.annotate(usable_count=Count("destinations", filter=usable, distinct=True))

    @admin.display(description="usable destinations", ordering="usable_count")
    def reachable_by(self, user: User) -> int:
        return int(user.usable_count)  # type: ignore[attr-defined]


@admin.register(Destination)
class DestinationAdmin(UndoIncident):
    form = DestinationForm
    list_display = ("user", "kind", "masked", "label", "usable", "disabled_reason")
    list_filter = (
        "kind",
        ("verified_at", admin.EmptyFieldListFilter),
        ("disabled_at", admin.EmptyFieldListFilter),
        "disabled_reason",
    )
    search_fields = ("user__external_id", "label")
    search_help_text = "Person, label, or a complete address."
    autocomplete_fields = ("user",)
    list_select_related = ("user",)
    readonly_fields: tuple[str, ...] = ("created_at", "last_inbound_at", "recheck_at")
    actions: tuple[str, ...] = ("enable", "mark_verified")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        return _address_field(field) if db_field.name == "address" else field

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Destination], search_term: str
    ) -> tuple[QuerySet[Destination], bool]:
        """Search by complete address too, through its keyed digest: the column itself is encrypted."""
        found, distinct = super().get_search_results(request, queryset, search_term)
        kinds = [str(number) for number, _ in channel_choices.destination_kinds()]
        wanted = [digest for kind in kinds for digest in digests([kind, search_term.strip()])]
        return found | queryset.filter(address_digest__in=wanted), distinct

    @admin.display(boolean=True)
    def usable(self, destination: Destination) -> bool:
        return destination.verified_at is not None and destination.disabled_at is None

    @admin.action(description="Enable again")
    def enable(self, request: HttpRequest, queryset: DestinationQuerySet) -> None:
        done = enable(queryset, by=operator(request), now=timezone.now())
        messages.success(request, f"{done.count} enabled.")

    @admin.action(description="Mark as verified")
    def mark_verified(self, request: HttpRequest, queryset: QuerySet[Destination]) -> None:
        count = queryset.filter(verified_at__isnull=True).update(verified_at=timezone.now())
        messages.success(request, f"{count} marked as verified.")


@admin.register(ChannelPreference)
class ChannelPreferenceAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ("user", "of", "channel", "position", "enabled", "min_priority")
    list_editable = ("position", "enabled", "min_priority")
    list_filter = ("channel", "enabled", "event_type", "group")
    search_fields = ("user__external_id", "event_type")
    autocomplete_fields = ("user",)
    list_select_related = ("user", "group")

    @admin.display(description="for", ordering="event_type")
    def of(self, preference: ChannelPreference) -> str:
        return preference.of


@admin.register(Source)
class SourceAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ("name", "enabled", "max_priority", "allow_stream", "live_keys", "created_at")
    list_filter = ("enabled", "max_priority", "allow_stream", "may_create_people", "may_vouch")
    search_fields = ("name",)
    readonly_fields = ("created_at",)
    actions = ("issue_publish_key", "issue_people_key")

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

    def _issue(self, request: HttpRequest, queryset: QuerySet[Source], scopes: list[str]) -> None:
        for source in queryset:
            key = keys.issue(source, scopes, note=f"issued by {request.user}")
            messages.success(request, f"Key of {source.name}, shown only now: {key}")


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ("__str__", "source", "scopes", "note", "created_at", "expires_at", "revoked_at")
    list_filter = ("source", ("revoked_at", admin.EmptyFieldListFilter))
    search_fields = ("prefix", "source__name", "note")
    readonly_fields = ("source", "prefix", "created_at")
    list_select_related = ("source",)
    actions = ("revoke",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # an action of the source issues keys: the secret is shown once and never stored

    @admin.action(description="Revoke")
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        count = queryset.filter(revoked_at__isnull=True).update(revoked_at=timezone.now())
        messages.success(request, f"{count} revoked.")
