"""Which event types exist, for forms in which people type their names."""

from difflib import get_close_matches

from django.db.models import QuerySet

from gateway.codec.fields import TYPES, is_type_name
from notifications.models import Event, MessageTemplate
from users.models import EventGroup, Source

_NEWEST = 10_000


def warning(name: str) -> str | None:
    """Return what is wrong with the name of an event type that no event seems to have, or None."""
    if not name or name in TYPES:
        return None
    similar = get_close_matches(name.upper().replace(".", "_"), TYPES, n=1, cutoff=0.75)
    advice = f" Did you mean {similar[0]}?" if similar else ""
    if not is_type_name(name):
        return f"No event can have the type {name}: a type of a producer's own is in lower case.{advice}"
    if _is_used(name):
        return None
    return f"No source names the type {name}, and none of the newest {_NEWEST:,} events has it.{advice}"


def known() -> list[str]:
    """Return the names to choose from: Tocsin's own types, and those that operators and producers use."""
    of_sources = (name for names in Source.objects.values_list("event_types", flat=True) for name in names)
    of_groups = (name for names in EventGroup.objects.values_list("event_types", flat=True) for name in names)
    templates = MessageTemplate.objects.filter(is_family=False).values_list("event_type", flat=True)
    recent = _recent().order_by().values_list("event_type", flat=True).distinct()
    found = {*TYPES, *of_sources, *of_groups, *templates, *recent}
    return sorted(name for name in found if not name.endswith("*"))


def _recent() -> "QuerySet[Event]":
    newest = Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    return Event.objects.filter(pk__gt=newest - _NEWEST)


def _is_used(name: str) -> bool:
    if Source.objects.filter(event_types__contains=[name]).exists():
        return True
    return _recent().filter(event_type=name).exists()
