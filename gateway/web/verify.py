"""The page behind the link that verifies an address. It needs no sign-in: the link was sent to the address.

Mail scanners open every link, so opening changes nothing: a button confirms.
"""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from gateway.web.signed_out import CONTENT_SECURITY_POLICY
from notifications.rendering.locales import gettext, language_of, speaking
from runtime.postgres import clock
from runtime.postgres.away import DATABASE_AWAY
from users import verification
from users.locales import DEFAULT
from users.models import Verification
from users.people.tokens import Refusal

_STATUS = {None: 200, Refusal.UNKNOWN: 404, Refusal.EXPIRED: 410, Refusal.USED: 410}


@csrf_exempt  # the token in the path is the right to do this, and no cookie is
@require_http_methods(["GET", "HEAD", "POST"])
def verify(request: HttpRequest, token: str) -> HttpResponse:
    """Ask (GET), or verify the address (POST)."""
    try:
        answer = _page(request, token)
    except DATABASE_AWAY:
        answer = HttpResponse("The service is away for a moment. Try again.", "text/plain", status=503)
        answer["Retry-After"] = "5"
    answer["Cache-Control"] = "no-store"
    answer["Referrer-Policy"] = "no-referrer"
    answer["X-Robots-Tag"] = "noindex"
    answer["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return answer


def _page(request: HttpRequest, token: str) -> HttpResponse:
    now = clock.now()
    about, refusal = verification.look_up(token, now=now)
    is_done = False
    if request.method == "POST" and refusal is None:
        refusal = verification.confirm_link(token, now=now)
        is_done = refusal is None
    locale = about.user.locale if about else DEFAULT
    with speaking(locale):
        shown = _texts(about, refusal, is_done=is_done)
    values = {"lang": language_of(locale), **shown}
    return render(request, "gateway/verify.html", values, status=_STATUS[refusal])


def _texts(about: Verification | None, refusal: Refusal | None, *, is_done: bool) -> dict[str, str]:
    if refusal is not None:
        return {"title": gettext("This link does not work"), "text": _reason(refusal)}
    address = about.destination.masked if about and about.destination else ""
    if is_done:
        text = gettext("%(address)s is confirmed. Your messages can come here now; you can close this page.")
        return {"title": gettext("Done"), "text": text % {"address": address}}
    text = gettext("Do you want messages from this service at %(address)s?") % {"address": address}
    return {"title": gettext("Confirm this address"), "text": text, "button": gettext("Confirm")}


def _reason(refusal: Refusal) -> str:
    if refusal is Refusal.EXPIRED:
        return gettext("It has expired. Ask for a new code where you asked for this one.")
    if refusal is Refusal.USED:
        return gettext("It was used already, or there is a newer one.")
    return gettext("It is not one of ours, or the address has changed.")
