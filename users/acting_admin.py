"""Admin pages of rows whose changes are noted: in the name of the operator who makes them."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from users.acting import acting
from users.models import PersonChange


class ActsAsOperator(ModelAdmin):  # type: ignore[misc]
    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        with acting(PersonChange.Surface.ADMIN, request.user.get_username()):
            super().save_model(request, obj, form, change)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        with acting(PersonChange.Surface.ADMIN, request.user.get_username()):
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> None:
        with acting(PersonChange.Surface.ADMIN, request.user.get_username()):
            super().delete_queryset(request, queryset)
