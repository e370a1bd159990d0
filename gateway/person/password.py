"""Changing the password, and setting a new one by a link in a mail: Django's views, throttled.

Who asks for a mail learns nothing about accounts: the answer is the same, and as fast, for every address.
"""

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash, views
from django.contrib.auth.forms import PasswordChangeForm, PasswordResetForm
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from gateway.auth.logins import WITHIN_S, Attempts, client_of
from gateway.person.shell import person_page, shown
from gateway.web.signed_out import SignedOut
from notifications.delivery import rate_limits, test_message
from notifications.delivery.rate_limits import Ask
from notifications.rendering.locales import gettext, speaking
from notifications.states import Channel
from notifications.transports.base import Message, TransportError
from notifications.transports.spec import Limit, digest
from runtime.postgres import clock
from users import sign_ins
from users.encryption import digests
from users.models import User

log = logging.getLogger(__name__)

_attempts = Attempts()
_mails = ThreadPoolExecutor(2, thread_name_prefix="password-mail")
_OF_ADDRESS = 3  # mails at once, then one in five minutes


def _throttled(request: HttpRequest, name: str) -> bool:
    return not _attempts.begin(client_of(request), name)


# --- signed in ------------------------------------------------------------------------------------------
@person_page
def change(request: HttpRequest, person: User) -> HttpResponse:
    """Change the password: every other browser is signed out, this one stays."""
    form = PasswordChangeForm(person, request.POST if request.method == "POST" else None)
    if request.method != "POST":
        return shown(request, person, "password", {"form": form})
    if _throttled(request, f"password of {person.pk}"):
        form.add_error(None, ValidationError("", code="throttled"))
    elif form.is_valid():
        return _changed(request, form, person)
    answer = shown(request, person, "password", {"form": form})
    if form.has_error("__all__", "throttled"):
        answer.status_code, answer["Retry-After"] = 429, str(int(WITHIN_S))
    return answer


def _changed(request: HttpRequest, form: PasswordChangeForm, person: User) -> HttpResponse:
    form.save()
    update_session_auth_hash(request, person)
    key = request.session.session_key or ""
    sign_ins.end_others(person, key)
    sign_ins.note(person, key, request.headers.get("User-Agent", ""), now=clock.now())
    _attempts.succeed(client_of(request), f"password of {person.pk}")
    messages.success(request, gettext("The password was changed. Your other browsers are signed out."))
    return HttpResponseRedirect("/devices/")


# --- by mail --------------------------------------------------------------------------------------------
class ResetForm(PasswordResetForm):
    """Finds people by their account's address, and by the mailboxes that they have verified."""

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean(self) -> dict[str, Any]:
        if _throttled(self.request, str(self.data.get("email", ""))[:254].lower()):
            raise ValidationError("", code="throttled")
        cleaned: dict[str, Any] = super().clean() or {}
        return cleaned

    def save(self, *_: Any, **__: Any) -> None:
        base = settings.TOCSIN_PUBLIC_URL or self.request.build_absolute_uri("/").rstrip("/")
        _mails.submit(_send_links, self.cleaned_data["email"], base)


def _send_links(email: str, base: str) -> None:
    try:
        for user, address in people_with(email):
            _send_link(user, address, base)
    except Exception:
        log.exception("password_mail_failed")
    finally:
        connection.close()


def people_with(email: str) -> list[tuple[User, str]]:
    """Return who may set a new password by a mail to this address, and the address as it is stored."""
    wanted = digests([str(int(Channel.EMAIL)), email])
    verified = Q(
        destinations__address_digest__in=wanted,
        destinations__verified_at__isnull=False,
        destinations__disabled_at__isnull=True,
    )
    found = User.objects.filter(Q(email__iexact=email) | verified, is_active=True, erased_at=None)
    return [(user, _stored(user, email)) for user in found.distinct() if user.has_usable_password()]


def _stored(user: User, email: str) -> str:
    """Return the account's own spelling: a text that only looks the same is another mailbox."""
    return user.email if user.email.lower() == email.lower() else email


def _send_link(user: User, address: str, base: str) -> None:
    own = Limit(f"password.{digest(address)}", 1, WITHIN_S, burst=_OF_ADDRESS)
    if rate_limits.reserve([Ask((own,), 0.001)])[0] > 0:
        return
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    url = f"{base}/password/reset/{uid}/{default_token_generator.make_token(user)}/"
    wait_s = test_message.wait_for_slot_s(Channel.EMAIL, address)
    try:
        async_to_sync(test_message.send)(Channel.EMAIL, address, message_in(user, url), wait_s=wait_s)
    except TransportError as error:
        log.warning("password_mail_not_sent", extra={"reason": error.reason})


def message_in(user: User, url: str) -> Message:
    with speaking(user.locale):
        paragraphs = (
            gettext("Somebody, hopefully you, asked to set a new password. Open this page to do so:"),
            url,
            gettext("Your username is %(name)s.") % {"name": user.get_username()},
            gettext("If you did not ask for this, do nothing: your password stays as it is."),
        )
        return Message(f"password-{uuid4()}", gettext("Set a new password"), "\n\n".join(paragraphs))


class AskForMail(SignedOut, views.PasswordResetView):
    template_name = "gateway/person/reset.html"
    form_class = ResetForm
    success_url = "/password/reset/sent/"

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"request": self.request}

    def form_invalid(self, form: PasswordResetForm) -> HttpResponse:
        answer = super().form_invalid(form)
        if form.has_error("__all__", "throttled"):
            answer.status_code, answer["Retry-After"] = 429, str(int(WITHIN_S))
        return answer


class Sent(SignedOut, views.PasswordResetDoneView):
    template_name = "gateway/person/reset_sent.html"


class SetNew(SignedOut, views.PasswordResetConfirmView):
    """The page behind the link; a change signs every browser out, as the session's hash is another."""

    template_name = "gateway/person/reset_new.html"
    success_url = "/login/"

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, gettext("The password was set. Sign in with it."))
        return super().form_valid(form)
