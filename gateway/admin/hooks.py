"""The admin of hooks and accounts, and the second try of what is in the quarantine."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import ChoiceField, ModelForm
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget

from gateway.api.hooks.hooks import url_of
from gateway.codec.limits import InvalidEvent
from gateway.ingress.retries import try_again
from gateway.normalizers.registry import NORMALIZERS, normalizer
from notifications.admin.events import QuarantineAdmin
from notifications.models import Quarantine
from runtime.postgres import clock
from users import hooks
from users.models import Account, Hook

admin.site.unregister(Quarantine)

_AT_ONCE = 200


class HookForm(ModelForm):  # type: ignore[type-arg]
    def clean(self) -> Any:
        """Check the options as the format reads them."""
        cleaned = super().clean() or {}
        name = cleaned.get("normalizer") or self.instance.normalizer
        options = cleaned.get("options")
        if name in NORMALIZERS and "options" not in self.errors:
            try:
                if not isinstance(options, dict):
                    raise InvalidEvent("not_an_object", "Write a JSON object.")
                normalizer(name).check_options(options)
            except InvalidEvent as error:
                said = f"{error.field}: {error.detail}" if error.field else error.detail
                self.add_error("options", ValidationError(said))
        return cleaned


@admin.register(Hook)
class HookAdmin(ModelAdmin):  # type: ignore[misc]
    form = HookForm
    list_display = ("__str__", "source", "note", "enabled", "created_at", "rotated_at")
    list_filter = ("normalizer", "enabled", "source")
    search_fields = ("prefix", "note", "source__name")
    list_select_related = ("source",)
    actions = ("rotate",)

    def get_readonly_fields(self, request: HttpRequest, obj: Hook | None = None) -> tuple[str, ...]:
        return ("source", "normalizer", "created_at", "rotated_at") if obj else ()

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name != "normalizer":
            return super().formfield_for_dbfield(db_field, request, **kwargs)
        choices = [(one.name, one.label) for one in NORMALIZERS.values()]
        return ChoiceField(choices=choices, widget=UnfoldAdminSelectWidget(choices=choices))

    def save_model(self, request: HttpRequest, obj: Hook, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
        else:
            _show(request, obj, hooks.issue(obj))

    @admin.action(description="Rotate the token (the old one is good for a day)")
    def rotate(self, request: HttpRequest, queryset: QuerySet[Hook]) -> None:
        for hook in queryset:
            _show(request, hook, hooks.rotate(hook, now=clock.now()))


def _show(request: HttpRequest, hook: Hook, token: str) -> None:
    messages.success(request, f"Post to {url_of(hook, token)} (shown only now).")


@admin.register(Account)
class AccountAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ("account", "source", "person", "created_at")
    list_filter = ("source",)
    search_fields = ("account__startswith", "person__external_id__startswith")
    search_help_text = "The beginning of an account, or of a person's id."
    show_full_result_count = False
    autocomplete_fields = ("source", "person")
    list_select_related = ("source", "person")
    readonly_fields = ("created_at",)


@admin.register(Quarantine)
class RetryingQuarantineAdmin(QuarantineAdmin):
    list_display: tuple[str, ...] = (*QuarantineAdmin.list_display, "resolved_at")
    list_filter: tuple[Any, ...] = (("resolved_at", admin.EmptyFieldListFilter), *QuarantineAdmin.list_filter)
    fields: tuple[str, ...] = (*QuarantineAdmin.fields, "hook", "context", "resolved_at")
    actions = ("try_again",)

    @admin.action(description="Try again", permissions=["view"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Quarantine]) -> None:
        rows = queryset.filter(resolved_at=None).select_related("hook__source").order_by("pk")[:_AT_ONCE]
        found = try_again(rows, now=clock.now())
        refused = {pk: error for pk, error in found.items() if error is not None}
        messages.success(request, f"{len(found) - len(refused)} accepted.")
        for pk, error in list(refused.items())[:10]:
            messages.warning(request, f"{pk} stays: {error.code}, {error.detail}")
