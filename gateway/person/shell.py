"""What the signed-in person's pages have in common: sign-in, language, time zone, outages, and actions.

A page is one view. GET shows it; a form posts to the same URL with `do`, the name of an action, and the
person is led back to the page, which says what became of it. Without scripts that is all; with them the
page's parts are replaced in place (`static/gateway/live.js`).
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_http_methods

from gateway.auth.bearer import person_of_session
from gateway.codec.limits import InvalidEvent
from gateway.person import refusals
from gateway.person.refusals import Refused
from gateway.web.signed_out import CONTENT_SECURITY_POLICY
from notifications.live import inbox
from notifications.rendering.locales import gettext, language_of, speaking
from notifications.routing.hours import zone_of
from runtime.postgres.away import DATABASE_AWAY, CommitUnknown
from runtime.postgres.commits import commits_noticed
from users.locales import gettext_noop
from users.models import User
from users.people.values import Rejected

Values = dict[str, Any]
Action = Callable[[User, QueryDict], str]  # returns what to say; raises `Refused`, `Rejected`, `InvalidEvent`
Page = Callable[..., HttpResponse]

PAGES = {"inbox": "/inbox/", "settings": "/settings/", "addresses": "/addresses/",
         "devices": "/devices/", "reachability": "/reachability/"}  # fmt: skip

_SENTENCES = (
    gettext_noop("Dismiss"),
    gettext_noop("live"),
    gettext_noop("connecting"),
    gettext_noop("reconnecting"),
    gettext_noop("offline"),
    gettext_noop("closed"),
    gettext_noop("signed out"),
    gettext_noop("origin refused"),
    gettext_noop("more waiting"),
    gettext_noop("Try again."),
    gettext_noop("The server could not be reached"),
)
_PRIORITIES = {
    "CRITICAL": gettext_noop("Critical"),
    "NORMAL": gettext_noop("Normal"),
    "INFORMATIONAL": gettext_noop("Informational"),
    "ERROR": gettext_noop("Error"),
}


def person_page(view: Page) -> Page:
    """Let `view(request, person, …)` answer the signed-in person, in their language and time zone."""

    @login_required
    @ensure_csrf_cookie
    @wraps(view)
    def guarded(request: HttpRequest, **of_path: Any) -> HttpResponse:
        person = person_of_session(request)
        assert person is not None  # `login_required`; an inactive person has no session
        with speaking(person.locale), timezone.override(zone_of(person.time_zone)):
            answer = _or_away(lambda: view(request, person, **of_path))
        return guard(answer)

    return guarded


def guard(answer: HttpResponse) -> HttpResponse:
    """Set what keeps a page of a person private."""
    answer["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    answer["Referrer-Policy"] = "same-origin"
    add_never_cache_headers(answer)
    return answer


def _or_away(view: Callable[[], HttpResponse]) -> HttpResponse:
    try:
        return view()
    except DATABASE_AWAY:
        text = gettext("The service is away for a moment. Try again.")
    except CommitUnknown:
        text = gettext("The service went away, so it is not known whether this was done. Look again.")
    answer = HttpResponse(text, "text/plain; charset=utf-8", status=503)
    answer["Retry-After"] = "5"
    return answer


def page(name: str, read: Callable[..., Values | HttpResponse], actions: Mapping[str, Action]) -> Page:
    """Return the view of a page: `read(request, person, …)` gives its values, `actions` what its forms do."""

    @require_http_methods(["GET", "HEAD", "POST"])
    @person_page
    def view(request: HttpRequest, person: User, **of_path: Any) -> HttpResponse:
        if request.method == "POST":
            return _done(request, person, actions)
        values = read(request, person, **of_path)
        return values if isinstance(values, HttpResponse) else shown(request, person, name, values)

    return view


def shown(request: HttpRequest, person: User, name: str, values: Values) -> HttpResponse:
    """Return the page `name`, a template of `gateway/person/`, inside the frame of all pages."""
    addresses = person.destinations.filter(verified_at__isnull=False, disabled_at__isnull=True)
    frame = {
        "lang": language_of(person.locale),
        "person": person,
        "here": request.path,
        "pages": PAGES,
        "unread": inbox.unread(person.pk),
        "unreachable": not addresses.exists(),
        "demo": settings.TOCSIN_DEMO,
        "client": _client_config(person),
    }
    return render(request, f"gateway/person/{name}.html", frame | values)


def _client_config(person: User) -> Values:
    """Return what the scripts of the page need: names, and sentences in the person's language."""
    return {
        "ws_url": "/ws",
        "person": person.external_id,
        "lang": language_of(person.locale),
        "sentences": {sentence: gettext(sentence) for sentence in _SENTENCES}
        | {priority: gettext(word) for priority, word in _PRIORITIES.items()},
    }


def _done(request: HttpRequest, person: User, actions: Mapping[str, Action]) -> HttpResponse:
    action = actions.get(request.POST.get("do", ""))
    try:
        if action is None:
            raise Refused(gettext("This page is out of date: load it again."))
        with commits_noticed():
            said = action(person, request.POST)
    except (Refused, Rejected, InvalidEvent) as error:
        messages.error(request, refusals.sentence(error))
    else:
        if said:
            messages.success(request, said)
    return see_other(request.get_full_path())


def see_other(url: str) -> HttpResponse:
    answer = HttpResponseRedirect(url)
    answer.status_code = 303
    return answer
