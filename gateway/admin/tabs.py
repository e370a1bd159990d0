"""The tabs of a person's page: each is a page with an address of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from users.models import User

_TABS = {
    "change": ("Person", "users.view_user"),
    "addresses": ("Addresses", "users.view_destination"),
    "preferences": ("Preferences", "users.view_channelpreference"),
    "events": ("Events", "notifications.view_event"),
    "changes": ("History", "users.view_personchange"),
}


@dataclass(frozen=True, slots=True)
class Tab:
    name: str
    label: str
    url: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Visit:
    """One request for one tab."""

    request: HttpRequest
    person: User
    admin: "ModelAdmin[User]"
    tab: str

    def may(self, right: str) -> bool:
        return self.request.user.has_perm(right)  # type: ignore[union-attr]

    def require(self, right: str) -> None:
        if not self.may(right):
            raise PermissionDenied

    def page(self, **context: Any) -> HttpResponse:
        """Return the tab's page, with what all tabs show."""
        shown = self.admin.admin_site.each_context(self.request) | {
            "title": str(self.person),
            "opts": self.admin.opts,
            "person": self.person,
            "original": self.person,
            "person_tabs": of(self.admin, self.request, self.person, self.tab),
        }
        return TemplateResponse(self.request, f"admin/users/person/{self.tab}.html", shown | context)


def url(tab: str, person: User) -> str:
    return reverse(f"admin:users_user_{tab}", args=[person.pk])


def of(admin: "ModelAdmin[User]", request: HttpRequest, person: User, current: str) -> list[Tab]:
    """Return the tabs that this operator may open."""
    return [
        Tab(name, label, url(name, person), name == current)
        for name, (label, right) in _TABS.items()
        if request.user.has_perm(right)  # type: ignore[union-attr]
    ]


def view(admin: "ModelAdmin[User]", answer: Callable[[Visit], HttpResponse], tab: str) -> Any:
    """Return the view of a tab. Who opens it needs the right to see what it shows."""

    def tab_view(request: HttpRequest, pk: int) -> HttpResponse:
        person = admin.get_object(request, str(pk))
        if person is None:
            raise Http404
        visit = Visit(request, person, admin, tab)
        visit.require("users.view_user")
        visit.require(_TABS[tab][1])
        return answer(visit)

    return admin.admin_site.admin_view(tab_view)
