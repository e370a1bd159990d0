"""The admin page of the callbacks of sources."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin

from runtime.public_http import NotPublic
from users.models import Callback
from users.sources import callbacks


class CallbackForm(ModelForm):  # type: ignore[type-arg]
    def clean_url(self) -> str:
        url = str(self.cleaned_data["url"])
        try:
            callbacks.check_url(url)
        except NotPublic as error:
            raise ValidationError(str(error)) from error
        return url


@admin.register(Callback)
class CallbackAdmin(ModelAdmin):  # type: ignore[misc]
    form = CallbackForm
    list_display = ("source", "url", "enabled", "failing_since", "disabled_at", "disabled_reason")
    list_filter = (("disabled_at", admin.EmptyFieldListFilter),)
    search_fields = ("source__name", "url")
    list_select_related = ("source",)
    readonly_fields = (
        "created_at",
        "old_secret_until",
        "failing_since",
        "disabled_at",
        "disabled_reason",
    )
    actions = ("rotate_secret", "enable")

    @admin.display(boolean=True)
    def enabled(self, callback: Callback) -> bool:
        return callback.disabled_at is None

    def save_model(self, request: HttpRequest, obj: Callback, form: Any, change: bool) -> None:
        if not change:
            obj.secret = callbacks.new_secret()
            messages.success(request, f"Secret of {obj.source}, shown only now: {obj.secret}")
        super().save_model(request, obj, form, change)

    @admin.action(description="Rotate the secret; the old one signs for 24 hours too")
    def rotate_secret(self, request: HttpRequest, queryset: QuerySet[Callback]) -> None:
        for callback in queryset.select_related("source"):
            made = callbacks.rotate_secret(callback, now=timezone.now())
            messages.success(request, f"New secret of {callback.source}, shown only now: {made}")

    @admin.action(description="Switch on again")
    def enable(self, request: HttpRequest, queryset: QuerySet[Callback]) -> None:
        for callback in queryset:
            callbacks.enable(callback)
        messages.success(request, f"{len(queryset)} switched on; what is waiting is sent.")
