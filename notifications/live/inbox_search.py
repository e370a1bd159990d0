"""Finding in an inbox: by mark, by group of types, and by what the messages say to their person.

A text is looked for in the messages as the person reads them, so a call looks through a bounded number of
events, and the next one goes on from there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from django.db.models import Q, QuerySet

from notifications.events import JsonObject
from notifications.live.inbox import item
from notifications.models import Event
from notifications.rendering import published
from notifications.wishes import NO_POLICY, Group, Policy
from users.models import User

LOOKED_THROUGH = 1_000  # events of one call
_CHUNK = 100


class Shown(StrEnum):
    ALL = ""  # but not what is archived
    UNREAD = "unread"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to find. `text` is looked for in the title, the body, the type and the name of the source."""

    shown: Shown = Shown.ALL
    group: Group | None = None
    policy: Policy = NO_POLICY
    text: str = ""


class Found(NamedTuple):
    """`next_before`: the `before` of the call that goes on; None: there is nothing more."""

    items: list[JsonObject]
    next_before: int | None


def search(person: User, wanted: Wanted, *, before: int | None, limit: int) -> Found:
    """Return up to `limit` items with a `seq` below `before`, newest first."""
    published.refresh()
    found: list[JsonObject] = []
    looked_at, last = 0, before
    for event in _events(person, wanted, before):
        looked_at, last = looked_at + 1, event.seq
        shown = _matching(event, wanted, person)
        if shown is not None:
            found.append(shown)
        if len(found) == limit or looked_at == LOOKED_THROUGH:
            return Found(found, last)
    return Found(found, None)


def _events(person: User, wanted: Wanted, before: int | None) -> Iterator[Event]:
    """Yield candidates in chunks, as few are needed mostly."""
    rows = _rows(person, wanted).select_related("source").order_by("-seq")
    while chunk := list((rows if before is None else rows.filter(seq__lt=before))[:_CHUNK]):
        yield from chunk
        if len(chunk) < _CHUNK:
            return
        before = chunk[-1].seq


def _rows(person: User, wanted: Wanted) -> QuerySet[Event]:
    rows = Event.objects.filter(person=person, archived_at__isnull=wanted.shown is not Shown.ARCHIVED)
    if wanted.shown is Shown.UNREAD:
        rows = rows.filter(read_at__isnull=True)
    return rows if wanted.group is None else rows.filter(_types_of(wanted.group))


def _types_of(group: Group) -> Q:
    """Return the types that may be of the group; another group may name one of them more exactly."""
    types = Q(event_type__in=[name for name in group.event_types if not name.endswith("*")])
    for name in group.event_types:
        if name.endswith("*"):
            types |= Q(event_type__startswith=name[:-1])
    return types


def _matching(event: Event, wanted: Wanted, person: User) -> JsonObject | None:
    if wanted.group is not None and wanted.policy.group_of(event.event_type) != wanted.group:
        return None
    shown = marked_item(event, person)
    texts = (shown["title"], shown["body"], shown["event_type"], shown["source"])
    text = wanted.text.casefold()
    return shown if not text or any(text in one.casefold() for one in texts) else None


def marked_item(event: Event, person: User) -> JsonObject:
    """Return the item as the inbox has it, with the marks that only a page shows."""
    return item(event, person.time_zone, person.locale) | {
        "archived": event.archived_at is not None,
        "acknowledged": event.acknowledged_at is not None,
    }
