"""The page behind the link in the mail: opening it changes nothing, its button verifies, once."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from config.logs import _without_secret_paths
from gateway.checks import the_public_url_is_one
from notifications.states import Channel
from tests.gateway.web.test_pages import without_inline_code
from users import verification
from users.models import Destination, User, Verification


@pytest.fixture
def mailbox(db) -> Destination:
    ann = User.objects.create_user("ann", external_id="ann", locale="de")
    return Destination.objects.create(user=ann, kind=Channel.EMAIL, address="ann.of@example.org")


@pytest.fixture
def path(mailbox) -> str:
    started = verification.start(mailbox.user, mailbox.pk, now=timezone.now())
    return f"/verify/{started.token}"


def is_verified() -> bool:
    return Destination.objects.get().verified_at is not None


def test_what_a_mail_scanner_does_changes_nothing(client: Client, path) -> None:
    for ask in (client.get, client.head, client.get):
        assert ask(path).status_code == 200
    assert not is_verified()
    assert Verification.objects.get().ended_at is None


def test_the_button_verifies_and_only_once(path) -> None:
    client = Client(enforce_csrf_checks=True)  # a browser without any cookie of ours
    page = client.get(path)
    assert '<html lang="de">' in page.content.decode()
    assert '<button class="button button-primary" type="submit">Bestätigen</button>' in page.content.decode()
    assert "an•••@example.org" in page.content.decode() and "ann.of@" not in page.content.decode()
    done = client.post(path)
    assert (done.status_code, is_verified()) == (200, True)
    for again in (client.get(path), client.post(path)):
        assert (again.status_code, b"<button" in again.content) == (410, False)
    assert client.put(path).status_code == 405


def test_one_that_has_expired_or_is_not_ours(client: Client, path) -> None:
    Verification.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert (client.post(path).status_code, is_verified()) == (410, False)
    unknown = client.post("/verify/AAAAAAAAAAAAAAAAAAAAAA")
    assert (unknown.status_code, b"<button" in unknown.content) == (404, False)
    assert client.get("/verify/%00%FF").status_code == 404


def test_the_link_stays_between_the_browser_and_us(client: Client, path) -> None:
    for page in (client.get(path), client.get("/verify/x")):
        assert page["Referrer-Policy"] == "no-referrer"
        assert page["Cache-Control"] == "no-store"
        assert "default-src 'none'" in page["Content-Security-Policy"]
        assert not page.cookies
        assert without_inline_code(page.content.decode())


def test_a_log_line_has_no_link() -> None:
    line = '{"event": "Gone: /verify/aB3_-x", "request": "<ASGIRequest: GET \'/verify/aB3_-x\'>"}'
    assert "aB3" not in _without_secret_paths(None, "", line)


@pytest.mark.parametrize("url", ["tocsin.example.org", "ftp://a.example", "https://a.example/?x=1"])
def test_a_public_url_that_is_none(settings, url) -> None:
    settings.TOCSIN_PUBLIC_URL = url
    assert [found.id for found in the_public_url_is_one()] == ["tocsin.E010"]


def test_beyond_a_developers_machine_the_public_url_has_tls(settings) -> None:
    settings.TOCSIN_PUBLIC_URL = "http://tocsin.example.org"
    assert the_public_url_is_one() == []
    settings.PRODUCTION = True
    assert [found.id for found in the_public_url_is_one()] == ["tocsin.E010"]
    settings.TOCSIN_PUBLIC_URL = "https://tocsin.example.org"
    assert the_public_url_is_one() == []
