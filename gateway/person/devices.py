"""Where the person is signed in, and which of their pages and apps are connected now."""

from django.http import HttpRequest, QueryDict

from gateway.auth.revocation import announce
from gateway.person.refusals import Refused
from gateway.person.shell import Values, page
from gateway.presence.sockets import sockets_of
from gateway.sockets.devices import described
from notifications.rendering.locales import gettext
from runtime.postgres import clock
from users import sign_ins
from users.models import User
from users.sign_out import sign_out_everywhere


def _read(request: HttpRequest, person: User) -> Values:
    key, now = request.session.session_key or "", clock.now()
    sign_ins.note(person, key, request.headers.get("User-Agent", ""), now=now)  # may be older than the notes
    sockets = sockets_of(person.pk)
    return {
        "sign_ins": [
            {"pk": one.pk, "device": described(one.device), "at": one.at, "is_here": one.session_key == key}
            for one in sign_ins.open_ones(person, now=now)
        ],
        "sockets": [
            {"device": one.device, "since": one.since_ms, "confirmed": one.confirmed_ms}
            for one in sockets or ()
        ],
        "sockets_known": sockets is not None,
    }


def _sign_out_one(person: User, form: QueryDict) -> str:
    text = form.get("pk", "")
    if not text.isdecimal() or len(text) > 18 or not sign_ins.end(person, int(text)):
        raise Refused(gettext("This device was signed out already."))
    return gettext("Signed out there.")


def _sign_out_all(person: User, form: QueryDict) -> str:
    """End every session, token, ticket and socket, this browser's too."""
    announce(sign_out_everywhere(User.objects.filter(pk=person.pk), now=clock.now()))
    return gettext("You are signed out everywhere.")


devices = page("devices", _read, {"sign_out": _sign_out_one, "sign_out_all": _sign_out_all})
