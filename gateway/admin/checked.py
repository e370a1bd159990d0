"""Forms in which operators name event types: saved as they are, with a warning if nobody uses one."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from gateway import event_type_names
from gateway.admin.event_type_choice import EventTypeChoice, EventTypeChoices
from gateway.api.preferences import look_again
from notifications.admin.templates import MessageTemplateAdmin
from notifications.models import MessageTemplate
from users.admin import ChannelPreferenceAdmin
from users.models import ChannelPreference, EventGroup, Source
from users.sources.source_admin import SourceAdmin
from users.wishes_admin import EventGroupAdmin

admin.site.unregister([ChannelPreference, EventGroup, Source, MessageTemplate])


class ChoosesTypes(ModelAdmin):  # type: ignore[misc]
    """Lets operators choose event types among those that are known, or type another name."""

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        widget = {"event_type": EventTypeChoice, "event_types": EventTypeChoices}.get(db_field.name)
        return super().formfield_for_dbfield(
            db_field, request, **kwargs | ({"widget": widget} if widget else {})
        )


@admin.register(ChannelPreference)
class CheckedPreferenceAdmin(ChoosesTypes, ChannelPreferenceAdmin):  # type: ignore[misc]
    """Each change lets what is held for the person go by it, as a change over the API does."""

    def save_model(self, request: HttpRequest, obj: ChannelPreference, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        warn_of_unknown_types(request, [obj.event_type])
        _look_again_at([obj])

    def delete_model(self, request: HttpRequest, obj: ChannelPreference) -> None:
        super().delete_model(request, obj)
        _look_again_at([obj])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ChannelPreference]) -> None:
        deleted = list(queryset)
        super().delete_queryset(request, queryset)
        _look_again_at(deleted)


@admin.register(EventGroup)
class CheckedGroupAdmin(ChoosesTypes, EventGroupAdmin):  # type: ignore[misc]
    def save_model(self, request: HttpRequest, obj: EventGroup, form: Any, change: bool) -> None:
        new = set(obj.event_types) - set(form.initial.get("event_types") or ())
        warn_of_unknown_types(request, [name for name in new if not name.endswith("*")])
        super().save_model(request, obj, form, change)


@admin.register(Source)
class CheckedSourceAdmin(ChoosesTypes, SourceAdmin):  # type: ignore[misc]
    def save_model(self, request: HttpRequest, obj: Source, form: Any, change: bool) -> None:
        # Before the row names its types itself: a misspelled one would be known then.
        warn_of_unknown_types(request, set(obj.event_types) - set(form.initial.get("event_types") or ()))
        super().save_model(request, obj, form, change)


@admin.register(MessageTemplate)
class CheckedTemplateAdmin(ChoosesTypes, MessageTemplateAdmin):  # type: ignore[misc]
    def save_model(self, request: HttpRequest, obj: MessageTemplate, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not obj.is_family:
            warn_of_unknown_types(request, [obj.event_type])


def _look_again_at(changed: Iterable[ChannelPreference]) -> None:
    for person in {one.user for one in changed}:
        transaction.on_commit(lambda person=person: look_again(person))  # type: ignore[misc]


def warn_of_unknown_types(request: HttpRequest, names: Iterable[str]) -> None:
    for text in sorted(filter(None, map(event_type_names.warning, set(names)))):
        messages.warning(request, f"Saved. {text}")
