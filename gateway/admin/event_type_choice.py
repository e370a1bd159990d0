"""Fields for the names of event types: typed with suggestions of those that are used, in any spelling."""

from typing import Any

from unfold.widgets import UnfoldAdminTextInputWidget

from gateway import event_type_names

LIST = "event-types"  # the id of the suggestions on a page that has them once, for many fields
_EMPTY = 3  # further fields for names to add


class EventTypeInput(UnfoldAdminTextInputWidget):  # type: ignore[misc]
    """For pages that list the suggestions themselves."""

    def __init__(self, attrs: Any = None) -> None:
        super().__init__({"list": LIST, "autocomplete": "off", "spellcheck": "false", **(attrs or {})})


class EventTypeChoice(EventTypeInput):
    """One name, with its suggestions."""

    template_name = "admin/event_type.html"

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        known = event_type_names.known()
        suggestions = f"{context['widget']['attrs'].get('id', name)}-{LIST}"
        context["widget"]["attrs"]["list"] = suggestions
        return context | {"known": known, "suggestions": suggestions}


class EventTypeChoices(EventTypeChoice):
    """Several names, one a field, and some empty fields for more."""

    template_name = "admin/event_types.html"

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, None, attrs)
        names = value.split(",") if isinstance(value, str) else list(value or ())
        return context | {"names": [*filter(None, names), *[""] * _EMPTY]}

    def value_from_datadict(self, data: Any, files: Any, name: str) -> str:
        given = data.getlist(name) if hasattr(data, "getlist") else [data.get(name) or ""]
        return ",".join(one.strip() for one in given if one.strip())
