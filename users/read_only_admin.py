"""Admin pages of rows that nobody changes there."""

from typing import Any

from django.http import HttpRequest


class ReadOnly:
    """An admin for rows that are written elsewhere, and only shown in the admin."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
