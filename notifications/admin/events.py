"""Events with their timelines, deliveries, attempts and the quarantine."""

from typing import Any

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline

from notifications.models import Attempt, Delivery, Event, Quarantine
from notifications.operations.timeline import timeline
from notifications.states import Channel
from users.read_only_admin import ReadOnly


class DeliveryInline(ReadOnly, TabularInline):  # type: ignore[misc]
    model = Delivery
    extra = 0
    show_change_link = True
    fields = ("position", "channel", "state", "attempts", "failure_kind", "error", "wording", "ended_at")
    readonly_fields = ("wording",)

    @admin.display(description="stored wording")
    def wording(self, row: Delivery) -> str:
        version = row.template_version
        return "" if version is None else f"{version.template}, version {version.number}"


class AttemptInline(ReadOnly, TabularInline):  # type: ignore[misc]
    model = Attempt
    extra = 0
    fields = ("number", "started_at", "ended_at", "outcome", "error")


@admin.register(Event)
class EventAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = ("event_id", "event_type", "person", "priority", "state", "via", "code", "accepted_at")
    list_filter: tuple[str, ...] = ("state", "priority", "delivered_via", "source", "code", "event_type")
    search_fields = ("=event_id", "=person__external_id", "=correlation_id", "event_type")
    search_help_text = "Whole event id, person or correlation id, or part of an event type."
    date_hierarchy = "accepted_at"
    list_select_related = ("person", "source")
    show_full_result_count = False
    inlines = (DeliveryInline,)
    fieldsets = (
        (None, {"fields": ("event_id", "source", "person", "seq", "topic", "event_type", "priority")}),
        ("What happened", {"fields": ("story", "state", "via", "evidence", "code")}),
        (
            "Times",
            {
                "fields": (
                    "occurred_at",
                    "accepted_at",
                    "expires_at",
                    "final_at",
                    "confirmed_at",
                    "acknowledged_at",
                )
            },
        ),
        ("Content", {"fields": ("payload", "words", "metadata", "plan", "trace"), "classes": ("collapse",)}),
    )

    @admin.display(description="delivered via", ordering="delivered_via")
    def via(self, event: Event) -> str:
        return "" if event.delivered_via is None else Channel(event.delivered_via).name

    @admin.display(description="timeline")
    def story(self, event: Event) -> SafeString:
        rows = event.deliveries.select_related("template_version__template").prefetch_related("tries")
        deliveries = rows.order_by("position")
        steps = timeline(event, deliveries)
        start = steps[0]["at"]
        lines = [(f"+{step['at'] - start:,} ms", step["text"]) for step in steps]
        return format_html_join("", "<div><code>{}</code> {}</div>", lines)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = ("event", "channel", "destination", "state", "attempts", "failure_kind", "created_at")
    list_filter = ("state", "channel", "priority", "failure_kind", "possible_duplicate")
    search_fields = ("=event__event_id", "=event__person__external_id", "=provider_message_id")
    search_help_text = "Whole event id, person, or provider message id."
    list_select_related = ("event", "destination")
    show_full_result_count = False
    inlines = (AttemptInline,)


@admin.register(Quarantine)
class QuarantineAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display: tuple[str, ...] = (
        "id",
        "received_at",
        "ingress",
        "source_name",
        "code",
        "reason",
        "size",
    )
    list_filter: tuple[Any, ...] = ("ingress", "code", "source_name")
    search_fields = ("=entry_id", "source_name", "reason")
    date_hierarchy = "received_at"
    fields: tuple[str, ...] = (
        "received_at",
        "ingress",
        "entry_id",
        "source_name",
        "code",
        "reason",
        "shown",
    )

    @admin.display(description="bytes")
    def size(self, row: Quarantine) -> int:
        return len(row.content)

    @admin.display(description="content")
    def shown(self, row: Quarantine) -> str:
        return repr(bytes(row.content[:2000]))
