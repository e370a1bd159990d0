"""Topic rules, subscriptions and broadcasts. Open pages are notified of every change."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from notifications import store
from notifications.models import Broadcast
from notifications.topics import subscriptions
from users.models import TopicRule, TopicSubscription
from users.read_only_admin import ReadOnly


class NotifyingAdmin(ModelAdmin):  # type: ignore[misc]
    """An admin that notifies the sockets of the persons concerned by a change, after the commit."""

    persons: Callable[[Any], set[int]]  # a method of each admin: the persons that a row concerns

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        before = self.persons(type(obj)._default_manager.get(pk=obj.pk)) if change else set()
        super().save_model(request, obj, form, change)
        self._notify(before | self.persons(obj))

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        before = self.persons(obj)
        super().delete_model(request, obj)
        self._notify(before)

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> None:
        before = {person for row in queryset for person in self.persons(row)}
        super().delete_queryset(request, queryset)
        self._notify(before)

    def _notify(self, persons: set[int]) -> None:
        transaction.on_commit(lambda: subscriptions.notify(persons))


@admin.register(TopicRule)
class TopicRuleAdmin(NotifyingAdmin):
    list_display = ("prefix", "audience", "group")
    list_filter = ("audience",)
    search_fields = ("prefix",)

    def persons(self, row: TopicRule) -> set[int]:
        return set(subscriptions.followers(row.prefix))


@admin.register(TopicSubscription)
class TopicSubscriptionAdmin(NotifyingAdmin):
    list_display = ("topic", "person", "created_at")
    search_fields = ("topic", "=person__external_id")
    search_help_text = "Part of a topic, or a whole person id."
    autocomplete_fields = ("person",)
    list_select_related = ("person",)

    def persons(self, row: TopicSubscription) -> set[int]:
        return {row.person_id}


@admin.register(Broadcast)
class BroadcastAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = ("event_id", "topic", "event_type", "priority", "state", "code", "accepted_at", "told_at")
    list_filter = ("state", "priority", "source", "code")
    search_fields = ("=event_id", "topic")
    search_help_text = "Whole event id, or part of a topic."
    date_hierarchy = "accepted_at"
    list_select_related = ("source",)
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("event_id", "source", "topic", "event_type", "priority")}),
        ("What happened", {"fields": ("state", "code", "evidence", "persons_now", "counts")}),
        ("Times", {"fields": ("accepted_at", "expires_at", "told_at", "final_at")}),
        ("Content", {"fields": ("content",), "classes": ("collapse",)}),
    )

    @admin.display(description="persons now, by state")
    def persons_now(self, row: Broadcast) -> str:
        return ", ".join(
            f"{state}: {count}" for state, count in sorted(store.broadcasts.counts(row.pk).items())
        )
