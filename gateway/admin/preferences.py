"""The tab of a person's preferences: channels, mutes, hours, throttles, digests, and what pierces."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.forms import formset_factory
from django.http import HttpResponse, HttpResponseRedirect
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from gateway import event_type_names
from gateway.admin import tabs
from gateway.admin.event_type_choice import LIST
from gateway.admin.matrix import MatrixForm, scopes_of
from gateway.admin.tabs import Visit
from gateway.admin.wish_forms import (
    DigestForm,
    HoursForm,
    MuteForm,
    ThrottleForm,
    WishFormSet,
    scope_of,
)
from gateway.api.preferences import look_again
from runtime.postgres import clock
from users.acting import acting
from users.models import EventGroup, Hours, PersonChange, User
from users.people import preferences
from users.people.preferences import DigestWish

TAB = "preferences"

_ONE_MORE: dict[str, Any] = {
    "formset": WishFormSet,
    "extra": 1,
    "can_delete": True,
    "can_delete_extra": False,
}
_Mutes = formset_factory(MuteForm, **_ONE_MORE)
_Hours = formset_factory(HoursForm, **_ONE_MORE)
_Throttles = formset_factory(ThrottleForm, **_ONE_MORE)
_Digests = formset_factory(DigestForm, **_ONE_MORE)


class OptOutForm(forms.Form):
    groups = forms.ModelMultipleChoiceField(
        EventGroup.objects.filter(may_opt_out_of_piercing=True),
        required=False,
        label="Groups whose CRITICAL events wait for the end of quiet hours and mutes",
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )


@dataclass(frozen=True, slots=True)
class _Forms:
    matrix: MatrixForm
    mutes: Any
    hours: Any
    throttles: Any
    digests: Any
    opt_outs: OptOutForm

    def are_valid(self) -> bool:
        """Check every part, so that each says what is wrong with it."""
        parts = (self.matrix, self.mutes, self.hours, self.throttles, self.digests, self.opt_outs)
        checked = [part.is_valid() for part in parts]
        return all(checked)


def answer(visit: Visit) -> HttpResponse:
    """Show the preferences, or save all of them together."""
    request, person = visit.request, visit.person
    if request.method != "POST":
        return _page(visit, _forms(person, [request.GET.get("type", "").strip()[:100]]))
    visit.require("users.change_channelpreference")
    shown = _forms(person, request.POST.getlist("type"), request.POST)
    if not shown.are_valid():
        messages.error(request, "Nothing was saved: mend what is marked below.")
        return _page(visit, shown)
    with acting(PersonChange.Surface.ADMIN, request.user.get_username()):
        _save(person, shown)
    messages.success(request, "Saved. What is held for the person goes by it at once.")
    for text in sorted(filter(None, map(event_type_names.warning, _types_of(person)))):
        messages.warning(request, text)
    return HttpResponseRedirect(tabs.url(TAB, person))


def _forms(person: User, further_types: list[str], data: Any = None) -> _Forms:
    mutes = [{**scope_of(one), "until": one.until} for one in preferences.mutes_of(person, now=clock.now())]
    hours = [
        {"kind": kind, **one._asdict(), "weekdays": list(one.weekdays)}
        for kind in Hours.Kind
        for one in preferences.hours_of(person, kind)
    ]
    throttles = [
        {**scope_of(one), "at_most": one.at_most, "per_s": one.per_s}
        for one in preferences.throttles_of(person)
    ]
    return _Forms(
        MatrixForm(person, scopes_of(person, further_types), data),
        _Mutes(data, initial=mutes, prefix="mutes"),
        _Hours(data, initial=hours, prefix="hours"),
        _Throttles(data, initial=throttles, prefix="throttles"),
        _Digests(data, initial=list(map(_digest, preferences.digests_of(person))), prefix="digests"),
        OptOutForm(data, initial={"groups": preferences.opted_out_of(person)}),
    )


def _digest(wish: DigestWish) -> dict[str, Any]:
    """Return a stored wish as the form shows it."""
    times = ", ".join(f"{one:%H:%M}" for one in wish.times)
    return {**wish._asdict(), **scope_of(wish), "times": times, "weekdays": list(wish.weekdays)}


def _page(visit: Visit, shown: _Forms) -> HttpResponse:
    sections = [
        ("Mutes", "Nothing of these is sent; it is in the inbox.", shown.mutes),
        (
            "Quiet hours and send windows",
            f"On the person's clock, {visit.person.time_zone}. An end before the start is on the next day.",
            shown.hours,
        ),
        ("Throttles", "What is more of one type is in the inbox alone.", shown.throttles),
        (
            "Digests",
            "What these would send one by one goes as one message: some time after the first that waits, at"
            " times on the person's clock, or when a type repeats. A CRITICAL event never waits for others.",
            shown.digests,
        ),
    ]
    rows = shown.matrix.rows()
    return visit.page(
        rows=rows,
        channels=[label for label, *_ in rows[0].cells],
        types=[row.scope.event_type for row in rows if row.scope.event_type],
        sections=sections,
        opt_outs=shown.opt_outs,
        known=event_type_names.known(),
        suggestions=LIST,
        may_change=visit.may("users.change_channelpreference"),
    )


def _save(person: User, shown: _Forms) -> None:
    """Replace what has changed, by the rules of the API."""
    if shown.matrix.has_changed():
        preferences.set_channels(person, shown.matrix.wishes())
    if shown.mutes.has_changed():
        preferences.set_mutes(person, shown.mutes.wishes())
    if shown.hours.has_changed():
        rows = [form.cleaned_data["kind"] for form in shown.hours.kept()]
        for kind in Hours.Kind:
            of_kind = zip(rows, shown.hours.wishes(), strict=True)
            preferences.set_hours(kind)(person, [wish for its, wish in of_kind if its == kind])
    if shown.throttles.has_changed():
        preferences.set_throttles(person, shown.throttles.wishes())
    if shown.digests.has_changed():
        preferences.set_digests(person, shown.digests.wishes())
    if shown.opt_outs.has_changed():
        preferences.set_opted_out(person, list(shown.opt_outs.cleaned_data["groups"]))
    transaction.on_commit(lambda: look_again(person))


def _types_of(person: User) -> set[str]:
    rows = (person.channel_preferences, person.mutes, person.throttles, person.digests)
    return {name for one in rows for name in one.values_list("event_type", flat=True) if name}
