"""Admin pages of users, their destinations and preferences."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from users import channel_choices, wishes_admin  # noqa: F401  registers the event groups
from users.acting import acting
from users.acting_admin import ActsAsOperator
from users.encryption import digests
from users.incident_admin import UndoIncident, operator
from users.models import (
    ChannelPreference,
    Destination,
    DestinationQuerySet,
    PersonChange,
    User,
)
from users.reactivation import enable
from users.sources import callback_admin, source_admin  # noqa: F401  register their models

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc]
    """A topic rule can name a group."""


def _address_field(field: Any) -> Any:
    field.widget = UnfoldAdminTextInputWidget()
    field.help_text = f"{channel_choices.address_hints()}. {field.help_text}"
    return field


def _with_address(term: str) -> list[int]:
    """Return the destinations with exactly this address, on whichever channel."""
    kinds = [str(number) for number, _ in channel_choices.destination_kinds()]
    wanted = [digest for kind in kinds for digest in digests([kind, term.strip()])]
    return list(Destination.objects.filter(address_digest__in=wanted).values_list("pk", flat=True)[:1000])


class DestinationForm(ModelForm):  # type: ignore[type-arg]
    def clean(self) -> Any:
        """What an operator decides about a destination takes precedence over a provider's refusal."""
        if {"disabled_at", "disabled_reason"} & set(self.changed_data):
            self.instance.recheck_at, self.instance.rechecks = None, 0
        return super().clean()


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[misc, type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("external_id", "username", "reachable_by", "time_zone", "is_staff", "is_active")
    list_filter = ("is_staff", "is_active", "is_superuser")
    search_fields = (
        "external_id__startswith",
        "username__startswith",
        "first_name__istartswith",
        "last_name__istartswith",
        "email__istartswith",
    )
    search_help_text = "The beginning of an id, a login, a name or a login's e-mail; or a complete address."
    show_full_result_count = False
    ordering = ("external_id",)
    filter_horizontal = ()
    readonly_fields = ("password_set",)
    fieldsets = (
        (None, {"fields": ("external_id", "username", "password_set")}),
        (
            "Person",
            {"fields": ("first_name", "last_name", "email", "time_zone", "locale", "is_active", "groups")},
        ),
        (
            "Permissions in the admin",
            {"fields": ("is_staff", "is_superuser", "user_permissions"), "classes": ("collapse",)},
        ),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("external_id", "username", "password1", "password2")}),
    )

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        return super().formfield_for_manytomany(
            db_field, request, **kwargs | {"widget": UnfoldAdminCheckboxSelectMultipleWidget}
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Count the usable destinations of those on the page alone: a subquery, and no order by it."""
        usable = Destination.objects.filter(
            user=OuterRef("pk"), verified_at__isnull=False, disabled_at__isnull=True
        )
        counted = usable.order_by().values("user").annotate(n=Count("pk")).values("n")
        people: QuerySet[User] = super().get_queryset(request)
        return people.annotate(usable_count=Coalesce(Subquery(counted), 0))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[User], search_term: str
    ) -> tuple[QuerySet[User], bool]:
        """Search by complete address first, through its keyed digest."""
        found, distinct = super().get_search_results(request, queryset, search_term)
        addressed = _with_address(search_term) if search_term else []
        return queryset.filter(destinations__in=addressed) if addressed else found, distinct

    @admin.display(description="usable destinations")
    def reachable_by(self, user: User) -> int:
        return int(user.usable_count)  # type: ignore[attr-defined]

    @admin.display(description="password")
    def password_set(self, user: User) -> str | SafeString:
        if user.pk is None:
            return ""
        said = "Set." if user.has_usable_password() else "None: signs in by a token of your system."
        return format_html('{} <a class="tocsin-link" href="{}">Change it</a>', said, "../password/")


@admin.register(Destination)
class DestinationAdmin(ActsAsOperator, UndoIncident):
    form = DestinationForm
    list_display = ("user", "kind", "masked", "label", "usable", "disabled_reason")
    list_filter = (
        "kind",
        ("verified_at", admin.EmptyFieldListFilter),
        ("disabled_at", admin.EmptyFieldListFilter),
    )
    search_fields = ("user__external_id__startswith",)
    search_help_text = "The beginning of a person's id, or a complete address."
    show_full_result_count = False
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
        whole = queryset.filter(pk__in=_with_address(search_term))
        return whole if whole.exists() else found, distinct

    @admin.display(boolean=True)
    def usable(self, destination: Destination) -> bool:
        return destination.verified_at is not None and destination.disabled_at is None

    @admin.action(description="Enable again")
    def enable(self, request: HttpRequest, queryset: DestinationQuerySet) -> None:
        done = enable(queryset, by=operator(request), now=timezone.now())
        messages.success(request, f"{done.count} enabled.")

    @admin.action(description="Mark as verified")
    def mark_verified(self, request: HttpRequest, queryset: QuerySet[Destination]) -> None:
        with acting(PersonChange.Surface.ADMIN, request.user.get_username()):
            count = queryset.filter(verified_at__isnull=True).update(verified_at=timezone.now())
        messages.success(request, f"{count} marked as verified.")


@admin.register(ChannelPreference)
class ChannelPreferenceAdmin(ActsAsOperator):
    list_display = ("user", "of", "channel", "position", "enabled", "min_priority")
    list_editable = ("position", "enabled", "min_priority")
    list_filter = ("channel", "enabled", "group")
    search_fields = ("user__external_id__startswith",)
    search_help_text = "The beginning of a person's id."
    show_full_result_count = False
    ordering = ("-pk",)
    autocomplete_fields = ("user",)
    list_select_related = ("user", "group")

    @admin.display(description="for", ordering="event_type")
    def of(self, preference: ChannelPreference) -> str:
        return preference.of
