"""Undoing an incident in the admin: a form, a preview by reason, a confirmation, and the audit."""

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
)

from users import channel_choices
from users.models import Reactivation
from users.reactivation import Incident, Operator, undo
from users.read_only_admin import ReadOnly

LIST = "admin:users_destination_changelist"


class IncidentForm(forms.Form):
    since = forms.SplitDateTimeField(label="Disabled from", widget=UnfoldAdminSplitDateTimeWidget)
    until = forms.SplitDateTimeField(label="until before", widget=UnfoldAdminSplitDateTimeWidget)
    reason = forms.CharField(
        label="Part of the reason",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Empty: show which reasons there were.",
    )
    kind = forms.TypedChoiceField(
        label="Channel",
        required=False,
        coerce=int,
        empty_value=None,
        choices=lambda: [("", "every channel"), *channel_choices.destination_kinds()],
        widget=UnfoldAdminSelectWidget,
    )


def operator(request: HttpRequest) -> Operator:
    return Operator(Reactivation.Surface.ADMIN, request.user.get_username())


class UndoIncident(ModelAdmin):  # type: ignore[misc]
    """Adds a button above the list of destinations."""

    actions_list = ("undo_incident",)

    @action(  # type: ignore[untyped-decorator]
        description="Undo an incident", permissions=["change"], url_path="incident"
    )
    def undo_incident(self, request: HttpRequest) -> HttpResponse:
        """Show what would be enabled; enable it once the operator has confirmed that."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        form = IncidentForm(request.POST or None)
        incident = Incident(**form.cleaned_data) if form.is_valid() else None
        if incident and incident.reason and "confirmed" in request.POST:
            done = undo(incident, by=operator(request), now=timezone.now())
            messages.success(request, f"{done.count} enabled again.")
            return HttpResponseRedirect(reverse(LIST))
        return self._preview(request, form, incident)

    def _preview(self, request: HttpRequest, form: IncidentForm, incident: Incident | None) -> HttpResponse:
        found = incident.reasons() if incident else []
        context = self.admin_site.each_context(request) | {
            "title": "Undo an incident",
            "opts": self.model._meta,
            "form": form,
            "incident": incident,
            "found": found,
            "count": sum(count for _, count in found),
            "back": reverse(LIST),
        }
        return TemplateResponse(request, "admin/users/destination/incident.html", context)


@admin.register(Reactivation)
class ReactivationAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]
    list_display = ("at", "who", "surface", "count", "reason", "kind", "disabled_since", "disabled_until")
    list_filter = ("surface", "who")
    search_fields = ("who", "reason")
    date_hierarchy = "at"
