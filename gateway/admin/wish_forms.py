"""The rows of a person's mutes, quiet hours, throttles and digests as forms, and what they say as wishes."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib.postgres.forms import SimpleArrayField
from django.forms import BaseFormSet
from unfold.widgets import (
    INPUT_CLASSES,
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from gateway.admin.event_type_choice import EventTypeInput
from notifications.routing.stored_rules import read_policy
from runtime.postgres import clock
from users import channel_choices
from users.digest_modes import DigestMode
from users.models import Digest, EventGroup, Hours, Weekday
from users.people.preferences import DigestWish, HoursWish, MuteWish, ThrottleWish

EVERY, TYPE = "every", "type"


class ScopeForm(forms.Form):
    """What a wish is for: every type, a group, or the type that is named beside it."""

    scope = forms.ChoiceField(label="For", widget=UnfoldAdminSelectWidget)
    event_type = forms.CharField(label="Event type", required=False, max_length=100, widget=EventTypeInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._groups = {one.name: one for one in EventGroup.objects.all()}
        named = [(name, f"group {one.label}") for name, one in self._groups.items()]
        choices = [("", "—"), (EVERY, "every type"), *named, (TYPE, "the type beside")]
        self.fields["scope"].choices = choices  # type: ignore[attr-defined]

    def clean(self) -> None:
        values = self.cleaned_data
        if (values.get("scope") == TYPE) != bool(values.get("event_type")):
            raise forms.ValidationError("Choose “the type beside” and name the type, or neither.")

    def of(self) -> dict[str, Any]:
        """Return the scope as the wishes name it."""
        values = self.cleaned_data
        return {"event_type": values["event_type"], "group": self._groups.get(values["scope"])}

    def key(self) -> Any:
        """Return what no second row may have."""
        return tuple(self.of().items())


def scope_of(wish: Any) -> dict[str, str]:
    """Return the scope of a stored wish as the form shows it."""
    group = wish.group.name if wish.group else ""
    return {"scope": TYPE if wish.event_type else group or EVERY, "event_type": wish.event_type}


class MuteForm(ScopeForm):
    until = forms.DateTimeField(
        label="Until (UTC)",
        required=False,
        widget=forms.DateTimeInput(
            {"type": "datetime-local", "step": "1", "class": " ".join(INPUT_CLASSES)}, "%Y-%m-%dT%H:%M:%S"
        ),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
    )
    field_order = ("scope", "event_type", "until")

    def clean(self) -> None:
        super().clean()
        values = self.cleaned_data
        if values.get("until") and values["until"] <= clock.now() and "until" in self.changed_data:
            self.add_error("until", "Name a time to come.")
        policy = read_policy()
        group = self._groups.get(values.get("scope", "")) or policy.group_of(values.get("event_type", ""))
        if group is not None and group.mandatory:
            raise forms.ValidationError(f"The group {group.name} is mandatory: it cannot be muted.")

    def wish(self) -> MuteWish:
        return MuteWish(until=self.cleaned_data["until"], **self.of())


class ThrottleForm(ScopeForm):
    at_most = forms.IntegerField(
        label="At most", min_value=1, max_value=32767, widget=UnfoldAdminIntegerFieldWidget
    )
    per_s = forms.IntegerField(
        label="In seconds", min_value=1, max_value=2**31 - 1, widget=UnfoldAdminIntegerFieldWidget
    )

    def wish(self) -> ThrottleWish:
        values = self.cleaned_data
        return ThrottleWish(values["at_most"], values["per_s"], **self.of())


def _time() -> forms.TimeInput:
    return forms.TimeInput({"type": "time", "class": " ".join(INPUT_CLASSES)}, "%H:%M")


class HoursForm(forms.Form):
    kind = forms.ChoiceField(
        label="Kind", choices=[("", "—"), *Hours.Kind.choices], widget=UnfoldAdminSelectWidget
    )
    weekdays = forms.TypedMultipleChoiceField(
        label="Starts on",
        choices=[(day.value, day.label[:2]) for day in Weekday],
        coerce=int,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    starts = forms.TimeField(label="Starts", widget=_time())
    ends = forms.TimeField(label="Ends", widget=_time())

    def wish(self) -> HoursWish:
        values = self.cleaned_data
        return HoursWish(tuple(sorted(values["weekdays"])), values["starts"], values["ends"])

    def key(self) -> Any:
        return self.wish()


class DigestForm(ScopeForm):
    channel = forms.TypedChoiceField(
        label="Channel",
        choices=lambda: [("", "—"), *channel_choices.destination_kinds()],
        coerce=int,
        widget=UnfoldAdminSelectWidget,
    )
    mode = forms.ChoiceField(
        label="Goes together", choices=[("", "—"), *DigestMode.choices], widget=UnfoldAdminSelectWidget
    )
    period_s = forms.IntegerField(
        label="Period in seconds",
        required=False,
        min_value=1,
        max_value=86_400,  # as over the API
        widget=UnfoldAdminIntegerFieldWidget,
    )
    times = SimpleArrayField(
        forms.TimeField(), label="Times, as 08:00, 18:00", required=False, widget=UnfoldAdminTextInputWidget
    )
    weekdays = forms.TypedMultipleChoiceField(
        label="On",
        choices=[(day.value, day.label[:2]) for day in Weekday],
        coerce=int,
        initial=[day.value for day in Weekday],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    def clean(self) -> None:
        super().clean()
        values = self.cleaned_data
        if "mode" in values and not {"period_s", "times"} & self.errors.keys():
            Digest(mode=values["mode"], period_s=values["period_s"], times=values["times"]).clean()

    def key(self) -> Any:
        return self.cleaned_data["channel"], super().key()

    def wish(self) -> DigestWish:
        values = self.cleaned_data
        return DigestWish(
            values["channel"],
            values["mode"],
            **self.of(),
            period_s=values["period_s"],
            times=tuple(values["times"]),
            weekdays=tuple(sorted(values["weekdays"])),
        )


class WishFormSet(BaseFormSet):  # type: ignore[type-arg]
    """Rows of wishes; an empty one at the end is for another."""

    def wishes(self) -> list[Any]:
        return [form.wish() for form in self.kept()]

    def kept(self) -> Iterable[Any]:
        left = set(map(id, self.deleted_forms))
        return [one for one in self.forms if id(one) not in left and (one.initial or one.has_changed())]

    def clean(self) -> None:
        """Refuse the second wish for the same: only one would count."""
        if any(self.errors):
            return
        seen = set()
        for form in self.kept():
            if (key := form.key()) in seen:
                raise forms.ValidationError("Name each once.")
            seen.add(key)
