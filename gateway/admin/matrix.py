"""The matrix of a person's channels: a row for every type, each group and each type they have a rule for.

A cell says whether a channel is used, its place in the order, and from which priority on. An empty one leaves
the decision to the rule above: docs/preferences.md has the order.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget

from gateway import event_type_names
from notifications.routing.stored_rules import read_rules
from notifications.states import Channel, Priority
from notifications.transports import registry
from notifications.wishes import Preference, RuleSet
from users import channel_choices
from users.models import ChannelPreference, EventGroup, User
from users.people.preferences import ChannelWish

OFF = "off"
_PLACES = 9
_FROM = [(int(one), f"from {one.name}" if one else "any priority") for one in Priority if one >= 0]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a row is for."""

    key: str
    label: str
    event_type: str = ""
    group: EventGroup | None = None
    note: str = ""
    warning: str = ""


@dataclass(slots=True)
class Row:
    scope: Scope
    cells: list[tuple[str, forms.BoundField, forms.BoundField]] = field(default_factory=list)
    in_effect: str = ""


def scopes_of(person: User, further_types: Iterable[str] = ()) -> list[Scope]:
    """Return the rows: `further_types` are those that the operator adds just now."""
    named = person.channel_preferences.exclude(event_type="").values_list("event_type", flat=True)
    types = sorted({*named, *filter(None, further_types)})
    groups = EventGroup.objects.all()
    return [
        Scope("every", "Every type"),
        *(Scope(f"g{one.pk}", one.label, group=one, note=_note(one)) for one in groups),
        *(
            Scope(f"t{name}", name, event_type=name, warning=event_type_names.warning(name) or "")
            for name in types
        ),
    ]


def _note(group: EventGroup) -> str:
    return ", ".join(group.event_types) + (" (mandatory)" if group.mandatory else "")


class MatrixForm(forms.Form):
    """The cells of some scopes. `wishes` are what they say together."""

    def __init__(self, person: User, scopes: Sequence[Scope], data: Any = None) -> None:
        super().__init__(data)
        self._person = person
        self._scopes = scopes
        self._channels = channel_choices.preference_channels()
        stored = {
            (row.event_type, row.group_id, row.channel): row for row in person.channel_preferences.all()
        }
        for scope in scopes:
            for channel, label in self._channels:
                row = stored.get((scope.event_type, scope.group.pk if scope.group else None, channel))
                self._add_cell(scope, channel, label, row)

    def _add_cell(self, scope: Scope, channel: int, label: str, row: ChannelPreference | None) -> None:
        last = max(_PLACES, row.position + 1 if row else 0)
        uses = [
            ("", "as above" if scope.event_type or scope.group else "default"),
            *((str(n), f"place {n + 1}") for n in range(last)),
            (OFF, "off"),
        ]
        initial = "" if row is None else str(row.position) if row.enabled else OFF
        use, least = _names(scope, channel)
        self.fields[use] = forms.ChoiceField(
            choices=uses, required=False, initial=initial, widget=_select(f"{scope.label}, {label}: place")
        )
        self.fields[least] = forms.TypedChoiceField(
            coerce=int,
            choices=_FROM,
            required=False,
            empty_value="0",
            initial=row.min_priority if row else 0,
            widget=_select(f"{scope.label}, {label}: lowest priority"),
        )

    def wishes(self) -> list[ChannelWish]:
        """Return what was chosen, in the order of the rows and of the places in each."""
        return [wish for scope in self._scopes for wish in sorted(self._of(scope), key=_place)]

    def _of(self, scope: Scope) -> Iterator[ChannelWish]:
        for channel, _ in self._channels:
            use, least = (self.cleaned_data[name] for name in _names(scope, channel))
            if use:
                place = len(self._channels) if use == OFF else int(use)
                yield ChannelWish(channel, scope.event_type, scope.group, use != OFF, int(least), place)

    def rows(self) -> list[Row]:
        stored = read_rules([self._person.pk])
        defaults, own = stored.policy.defaults, stored.preferences_of(self._person.pk)
        made = []
        for scope in self._scopes:
            group = stored.policy.group_of(scope.event_type) if scope.event_type else None
            group_id = scope.group.pk if scope.group else group.id if group else None
            row = Row(scope, in_effect=_in_effect(defaults, own, scope.event_type, group_id))
            for channel, label in self._channels:
                use, least = _names(scope, channel)
                row.cells.append((label, self[use], self[least]))
            made.append(row)
        return made


def _names(scope: Scope, channel: int) -> tuple[str, str]:
    return f"use-{scope.key}-{channel}", f"from-{scope.key}-{channel}"


def _select(label: str) -> UnfoldAdminSelectWidget:
    return UnfoldAdminSelectWidget({"aria-label": label})


def _place(wish: ChannelWish) -> int:
    return wish.position or 0


def _in_effect(
    defaults: RuleSet[Preference], own: RuleSet[Preference], event_type: str, group_id: int | None
) -> str:
    """Return the channels that are used, in their order, as routing decides it."""
    found = defaults.of_channels(event_type, group_id) | own.of_channels(event_type, group_id)
    order = list(registry.channels())
    places = sorted(
        (found[channel].position if channel in found else place, place, channel)
        for place, channel in enumerate(order)
    )
    named = [
        _named(channel, found.get(channel))
        for *_, channel in places
        if channel not in found or found[channel].enabled
    ]
    return ", then ".join(named) or "nothing"


def _named(channel: Channel, rule: Preference | None) -> str:
    least = rule.min_priority if rule else Priority.INFORMATIONAL
    return channel.name + (f" (from {least.name})" if least > Priority.INFORMATIONAL else "")
