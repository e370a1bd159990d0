"""The matrix of what is sent where: a row for everything, for each group and for types, a cell a channel."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from gateway.person.refusals import Refused
from notifications.events import Recipient
from notifications.models import Event
from notifications.rendering.locales import gettext
from notifications.routing import recipients, rules
from notifications.states import Channel, Priority
from notifications.transports import registry
from runtime.postgres import clock
from users.models import EventGroup, User
from users.people.preferences import group_named

OFF = "off"
_LOOKED_THROUGH = 500  # events, for the types that the person receives
_MOST_TYPES = 40


@dataclass(frozen=True, slots=True)
class Cell:
    """A channel in a row, in the order in which channels are tried. `level`: OFF, or the lowest priority."""

    channel: Channel
    level: str
    levels: tuple[str, ...]  # those to choose from


@dataclass(frozen=True, slots=True)
class Row:
    """`of` names it in forms: "" for everything, `group:<name>` or `type:<name>`."""

    of: str
    label: str
    cells: tuple[Cell, ...]
    is_own: bool  # the person has set it; else it follows a wider row
    mandatory: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """What a row is for: a type, a group, or with neither everything."""

    event_type: str = ""
    group: EventGroup | None = None

    @property
    def of(self) -> str:
        if self.event_type:
            return f"type:{self.event_type}"
        return f"group:{self.group.name}" if self.group else ""

    def to_json(self) -> dict[str, str]:
        return {"event_type": self.event_type, "group": self.group.name if self.group else ""}


def scope_of(form: QueryDict) -> Scope:
    """Return what a form is about. Raises: `Refused`."""
    kind, _, name = form.get("of", "").partition(":")
    if not kind:
        return Scope()
    group = group_named(name) if kind == "group" and "\0" not in name else None
    if kind == "type" and name:
        return Scope(name)
    if group is None:
        raise Refused(gettext("It is not there any more."))
    return Scope(group=group)


def read(person: User) -> tuple[list[Row], list[str]]:
    """Return the rows, and the types that the person receives and that have no row."""
    [recipient] = recipients.load({person.external_id}, now=clock.now(), active_s=0).values()
    received = _received(person)
    scopes = list(_scopes(recipient, received))
    shown = {scope.event_type for scope in scopes}
    return [_row(recipient, scope) for scope in scopes], [name for name in received if name not in shown]


def _scopes(recipient: Recipient, received: list[str]) -> Iterator[Scope]:
    """Yield everything, the groups, then types: those with a wish of their own, and those of no group."""
    yield Scope()
    for group in EventGroup.objects.all():
        yield Scope(group=group)
    own = {preference.event_type for preference in recipient.preferences if preference.event_type}
    alone = {name for name in received if recipient.policy.group_of(name) is None}
    for name in sorted(own | alone):
        yield Scope(name)


def _received(person: User) -> list[str]:
    newest = Event.objects.filter(person=person).order_by("-seq").values_list("event_type", flat=True)
    return sorted(set(newest[:_LOOKED_THROUGH]))[:_MOST_TYPES]


def row_of(person: User, scope: Scope) -> Row:
    [recipient] = recipients.load({person.external_id}, now=clock.now(), active_s=0).values()
    return _row(recipient, scope)


def _row(recipient: Recipient, scope: Scope) -> Row:
    """Return the row as routing would decide: the most specific rule of each channel."""
    policy = recipient.policy
    group = policy.group_of(scope.event_type) if scope.event_type else None
    group_id = scope.group.pk if scope.group else group.id if group else None
    own = recipient.preferences.of_channels(scope.event_type, group_id)
    counting = policy.defaults.of_channels(scope.event_type, group_id) | own
    order = rules.in_order(list(registry.channels()), counting, lambda channel: channel)
    return Row(
        scope.of,
        _label(scope),
        tuple(_cell(channel, counting) for channel in order),
        is_own=any(_is_of(preference, scope) for preference in recipient.preferences),
        mandatory=bool((scope.group and scope.group.mandatory) or (group and group.mandatory)),
    )


def _is_of(preference: Any, scope: Scope) -> bool:
    group_id = scope.group.pk if scope.group else None
    return (preference.event_type, preference.group_id) == (scope.event_type, group_id)


def _label(scope: Scope) -> str:
    if scope.event_type:
        return scope.event_type  # the template says it as people do
    return (scope.group.label or scope.group.name) if scope.group else gettext("Everything")


def _cell(channel: Channel, counting: rules.Rules) -> Cell:
    rule = counting.get(channel)
    lowest = Priority.INFORMATIONAL if rule is None else rule.min_priority
    needs_address = registry.spec(channel).address is not None
    levels = [Priority.INFORMATIONAL, Priority.CRITICAL] if needs_address else list(Priority)
    level = OFF if rule is not None and not rule.enabled else lowest.name
    if needs_address and level == Priority.NORMAL.name:  # nothing less urgent is ever sent to an address
        level = Priority.INFORMATIONAL.name
    return Cell(channel, level, (*(one.name for one in levels), OFF))


def moved_up(cells: list[Cell], channel_name: str) -> list[Cell]:
    """Return the cells with this channel one place earlier."""
    for index, cell in enumerate(cells):
        if index and cell.channel.name == channel_name:
            return [*cells[: index - 1], cell, cells[index - 1], *cells[index + 1 :]]
    return cells
