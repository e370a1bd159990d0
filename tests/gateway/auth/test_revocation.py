"""Which credentials still count: the record that every socket is compared with, also when no news came."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone

from gateway.auth.credentials import Credential, of_session
from gateway.auth.revocation import ended
from tests.gateway.other_ends import Page
from tests.gateway.servers import running_server_of
from tests.kit.sign_in import cookie_of, token_for
from users.models import User

NOW = timezone.now()
LATER = NOW + timedelta(seconds=1)


def by_token(person: User, *, since=NOW, expires_at=NOW + timedelta(minutes=5)) -> Credential:
    return Credential(person, since, expires_at)


def by_session(person: User) -> Credential:
    from django.test import Client

    client = Client()
    client.force_login(person)
    return of_session(person, client.cookies["sessionid"].value)


def test_what_counts_is_let_be(ann, bob) -> None:
    assert not ended({1: by_token(ann), 2: by_session(bob), 3: by_session(ann)}, now=LATER)
    assert not ended({}, now=NOW)


def test_an_expired_one_counts_no_more(ann) -> None:
    assert ended({1: by_token(ann, expires_at=NOW), 2: by_token(ann)}, now=NOW) == {1}


def test_only_what_is_older_than_the_sign_out_ends(ann, bob) -> None:
    found = {
        1: by_token(ann, since=NOW - timedelta(seconds=1)),
        2: by_token(ann, since=NOW),
        3: by_token(bob, since=NOW - timedelta(days=1)),
        4: by_session(ann),
    }
    User.objects.filter(pk=ann.pk).update(sessions_valid_from=NOW)
    assert ended(found, now=LATER) == {1, 4}


def test_who_is_gone_or_deactivated_has_nothing_that_counts(ann, bob) -> None:
    found = {1: by_token(ann), 2: by_session(ann), 3: by_token(bob), 4: by_session(bob)}
    User.objects.filter(pk=ann.pk).update(is_active=False)
    bob.delete()
    assert ended(found, now=LATER) == {1, 2, 3, 4}


def test_a_session_ends_alone(ann) -> None:
    found = {1: by_session(ann), 2: by_session(ann), 3: by_token(ann)}
    SessionStore(found[1].session_key).delete()
    assert ended(found, now=LATER) == {1}
    Session.objects.filter(pk=found[2].session_key).update(expire_date=NOW)
    assert ended(found, now=LATER) == {1, 2}


def test_a_changed_password_ends_sessions_and_no_tokens(ann) -> None:
    found = {1: by_session(ann), 2: by_token(ann)}
    User.objects.filter(pk=ann.pk).update(password="changed")
    assert ended(found, now=LATER) == {1}


def test_all_of_them_take_two_queries(ann, bob, django_assert_num_queries) -> None:
    found = dict(enumerate([by_token(ann), by_session(ann), by_token(bob), by_session(bob)] * 50))
    with django_assert_num_queries(2):
        assert not ended(found, now=LATER)


@pytest.mark.parametrize("how", ["deactivated", "signed out", "session gone"])
def test_a_socket_is_closed_without_any_news(tmp_path: Path, ann, bob, how: str) -> None:
    """`update` sends no signal, so nothing is announced: the look-up alone finds it."""
    with running_server_of(tmp_path / "daphne.log", TOCSIN_RECHECK_S="1") as server:
        headers = {"Cookie": cookie_of(ann)}
        page = Page(f"{server.ws_url}/ws", origin=server.url, additional_headers=headers)
        other = Page(f"{server.ws_url}/ws/native", ready=False)
        other.send(type="auth", token=token_for("bob"))
        assert other.receive()["type"] == "ready"
        if how == "session gone":
            Session.objects.all()._raw_delete("default")
        else:
            changes = (
                {"is_active": False} if how == "deactivated" else {"sessions_valid_from": timezone.now()}
            )
            User.objects.filter(pk=ann.pk).update(**changes)
        assert page.closed_with() == 4001
        other.barrier()
        page.close()
        other.close()
