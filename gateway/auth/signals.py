"""Notes the browsers in which people sign in, and tells the gateways' open sockets when a sign-in ends."""

from typing import Any

from django.contrib.auth import SESSION_KEY, user_logged_in
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.http import HttpRequest

from gateway.auth.revocation import announce
from runtime.postgres import clock
from users import sign_ins
from users.models import User

_RELEVANT_FIELDS = {"is_active", "password", "sessions_valid_from"}


def connect() -> None:
    """Called once, when the apps are ready."""
    post_save.connect(_person_saved, User, dispatch_uid="tocsin.person_saved")
    post_delete.connect(_person_deleted, User, dispatch_uid="tocsin.person_deleted")
    post_delete.connect(_session_deleted, Session, dispatch_uid="tocsin.session_deleted")
    user_logged_in.connect(_signed_in, dispatch_uid="tocsin.signed_in")


def _signed_in(request: HttpRequest, user: User, **_: Any) -> None:
    sign_ins.note(
        user, request.session.session_key or "", request.headers.get("User-Agent", ""), now=clock.now()
    )


def _person_saved(
    instance: User, created: bool, update_fields: frozenset[str] | None = None, **_: Any
) -> None:
    if not created and (update_fields is None or _RELEVANT_FIELDS & set(update_fields)):
        _announce(instance.pk)


def _person_deleted(instance: User, **_: Any) -> None:
    _announce(instance.pk)


def _session_deleted(instance: Session, **_: Any) -> None:
    """A logout deletes the session. Deleting an expired one is not announced."""
    person_id = instance.get_decoded().get(SESSION_KEY)
    if person_id is not None and instance.expire_date > clock.now():
        _announce(int(person_id))


def _announce(person_id: int) -> None:
    # After the commit: a check before it would still find the old state.
    transaction.on_commit(lambda: announce([person_id]), robust=True)
