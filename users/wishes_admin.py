"""Admin pages of groups of event types and of what is set for everybody."""

from django.contrib import admin
from django.forms import ModelForm, TypedMultipleChoiceField
from unfold.admin import ModelAdmin, TabularInline
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from users.models import DefaultDigest, DefaultPreference, EventGroup, Weekday


class DefaultPreferenceInline(TabularInline):  # type: ignore[misc]
    model = DefaultPreference
    extra = 0
    fields = ("channel", "position", "enabled", "min_priority")


class WeekdaysForm(ModelForm):  # type: ignore[type-arg]
    weekdays = TypedMultipleChoiceField(
        choices=Weekday.choices, coerce=int, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )


_DIGEST_FIELDS = ("channel", "mode", "period_s", "times", "weekdays")


class DefaultDigestInline(TabularInline):  # type: ignore[misc]
    model = DefaultDigest
    form = WeekdaysForm
    extra = 0
    fields = _DIGEST_FIELDS


@admin.register(EventGroup)
class EventGroupAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ("name", "label", "types", "mandatory", "may_opt_out_of_piercing", "throttle")
    list_filter = ("mandatory", "may_opt_out_of_piercing")
    search_fields = ("name", "label", "event_types")
    prepopulated_fields = {"name": ("label",)}  # noqa: RUF012
    inlines = (DefaultPreferenceInline, DefaultDigestInline)
    fieldsets = (
        (None, {"fields": ("label", "name", "event_types")}),
        ("What people may do", {"fields": ("mandatory", "may_opt_out_of_piercing")}),
        ("Throttle", {"fields": (("throttle_at_most", "throttle_per_s"),)}),
    )

    @admin.display(description="event types")
    def types(self, group: EventGroup) -> str:
        return ", ".join(group.event_types)

    @admin.display(description="throttle")
    def throttle(self, group: EventGroup) -> str:
        if group.throttle_at_most is None:
            return ""
        return f"{group.throttle_at_most} per {group.throttle_per_s} s"


@admin.register(DefaultPreference)
class DefaultPreferenceAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ("__str__", "group", "channel", "position", "enabled", "min_priority")
    list_editable = ("position", "enabled", "min_priority")
    list_filter = ("group", "channel", "enabled")
    search_fields = ("group__name",)
    list_select_related = ("group",)


@admin.register(DefaultDigest)
class DefaultDigestAdmin(ModelAdmin):  # type: ignore[misc]
    form = WeekdaysForm
    list_display = ("__str__", "group", "channel", "mode")
    list_filter = ("group", "channel", "mode")
    search_fields = ("group__name",)
    list_select_related = ("group",)
    fields = ("group", *_DIGEST_FIELDS)
