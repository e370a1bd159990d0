"""What an operator does to several persons at once, by the same rules as to one."""

from datetime import timedelta

from django.contrib import admin, messages
from django.contrib.admin import ModelAdmin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse

from gateway.api.preferences import look_again
from gateway.api.privacy import exported
from gateway.auth.revocation import announce
from runtime.postgres import clock
from users.acting import acting
from users.incident_admin import operator
from users.models import Destination, PersonChange, User
from users.people import preferences
from users.people.preferences import MuteWish
from users.reactivation import enable
from users.sign_out import sign_out_everywhere

_EVENTS = 1_000  # of each person in an export; the API has the rest
_MUTED_FOR = timedelta(days=1)


class BulkActions(ModelAdmin):  # type: ignore[type-arg]
    """The actions of the list of persons."""

    actions: tuple[str, ...] = (
        "enable_addresses",
        "mute",
        "unmute",
        "sign_out",
        "deactivate",
        "activate",
        "export",
    )

    def has_destinations_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("users.change_destination")

    def has_preferences_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("users.change_channelpreference")

    def has_export_permission(self, request: HttpRequest) -> bool:
        wanted = ("users.view_destination", "users.view_channelpreference", "notifications.view_event")
        return request.user.has_perms(wanted)

    @admin.action(description="Enable their disabled addresses", permissions=["destinations"])
    def enable_addresses(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        chosen = Destination.objects.filter(user__in=queryset.values("pk"), user__erased_at=None)
        done = enable(chosen, by=operator(request), now=clock.now())  # type: ignore[arg-type]
        messages.success(request, f"{done.count} enabled.")

    @admin.action(description="Mute everything for a day", permissions=["preferences"])
    def mute(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        people = list(queryset.filter(erased_at=None).order_by("pk"))
        with acting(PersonChange.Surface.ADMIN, request.user.get_username()):
            for person in people:
                preferences.mute(person, MuteWish(until=clock.now() + _MUTED_FOR))
        _look_again(people)
        messages.success(request, f"Muted for a day: {len(people)}. CRITICAL events pierce it.")

    @admin.action(description="Lift the mutes of everything", permissions=["preferences"])
    def unmute(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        people = list(queryset.order_by("pk"))
        with acting(PersonChange.Surface.ADMIN, request.user.get_username()):
            lifted = [
                preferences.unmute(person, mute.pk)
                for person in people
                for mute in person.mutes.filter(event_type="", group=None)
            ]
        _look_again(people)
        messages.success(request, f"{len(lifted)} mutes lifted.")

    @admin.action(description="Sign out everywhere", permissions=["change"])
    def sign_out(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        ended = sign_out_everywhere(queryset, now=clock.now())
        announce(ended)
        messages.success(request, f"Signed out: {len(ended)}. Open pages are closed within a minute.")

    @admin.action(description="Deactivate", permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Nothing is sent to them any more. Nobody deactivates themselves by this."""
        self._set_active(request, queryset.exclude(pk=request.user.pk or 0), active=False)

    @admin.action(description="Activate", permissions=["change"])
    def activate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        self._set_active(request, queryset.filter(erased_at=None), active=True)

    def _set_active(self, request: HttpRequest, queryset: QuerySet[User], *, active: bool) -> None:
        people = list(queryset.filter(is_active=not active))
        for person in people:  # one by one: a signal ends the person's sockets
            person.is_active = active
            person.save(update_fields=["is_active"])
            self.log_change(request, person, "Activated." if active else "Deactivated.")
        messages.success(request, f"{'Activated' if active else 'Deactivated'}: {len(people)}.")

    @admin.action(description="Export as JSON", permissions=["export"])
    def export(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse:
        """Return what the API exports; the events after the first ones are read there, by `next_cursor`."""
        people = queryset.filter(erased_at=None).order_by("pk")
        answer = JsonResponse({"people": [exported(person, after=0, limit=_EVENTS) for person in people]})
        answer["Content-Disposition"] = 'attachment; filename="people.json"'
        return answer


def _look_again(people: list[User]) -> None:
    """Let what is held for these people go by their wishes of now, once they are committed."""
    for person in people:
        transaction.on_commit(lambda person=person: look_again(person))  # type: ignore[misc]
