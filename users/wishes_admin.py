"""Admin pages of groups of event types and of the default preferences."""

from django.contrib import admin
from unfold.admin import ModelAdmin, TabularInline

from users.models import DefaultPreference, EventGroup


class DefaultPreferenceInline(TabularInline):  # type: ignore[misc]
    model = DefaultPreference
    extra = 0
    fields = ("channel", "position", "enabled", "min_priority")


@admin.register(EventGroup)
class EventGroupAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ("name", "label", "types", "mandatory", "may_opt_out_of_piercing", "throttle")
    list_filter = ("mandatory", "may_opt_out_of_piercing")
    search_fields = ("name", "label", "event_types")
    prepopulated_fields = {"name": ("label",)}  # noqa: RUF012
    inlines = (DefaultPreferenceInline,)
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
