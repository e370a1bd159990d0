"""Changing the password, and a new one by mail: throttled, and silent about who has an account."""

import itertools
import re
from collections.abc import Callable

import pytest
from django.contrib.auth.hashers import make_password
from django.test import Client
from django.utils import timezone

from gateway.auth.logins import OF_A_NAME
from gateway.person import password
from notifications.states import Channel
from tests.gateway.mailbox import link_in, mails_to
from tests.kit.eventually import eventually
from tests.kit.simulator import SimulatorProcess
from users.models import Destination, SignIn, User

OLD, NEW = "the old and long one", "quite another sentence"


@pytest.fixture(scope="module")
def process():
    simulator = SimulatorProcess()
    yield simulator
    simulator.stop()


@pytest.fixture
def simulator(process, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", process.smtp_port
    settings.TOCSIN_PUBLIC_URL = "https://tocsin.test"
    process.reset()
    return process


_NUMBERS = itertools.count(1)


@pytest.fixture
def browser(valkey) -> Callable[[], Client]:
    """Make browsers of one network address, from which nobody has tried anything."""
    valkey.flushdb()
    address = f"192.0.2.{next(_NUMBERS)}"
    return lambda: Client(REMOTE_ADDR=address)


@pytest.fixture
def owner(ann) -> User:
    ann.password = make_password(OLD)
    ann.save()
    return ann


def changed(client: Client, old: str = OLD, new: str = NEW):
    return client.post("/password/", {"old_password": old, "new_password1": new, "new_password2": new})


def test_a_change_keeps_this_browser_and_ends_the_others(owner, browser) -> None:
    here, there = browser(), browser()
    for client in (here, there):
        client.force_login(owner)
    assert changed(here)["Location"] == "/devices/"
    assert here.get("/devices/").status_code == 200
    assert there.get("/devices/").status_code == 302
    assert SignIn.objects.filter(user=owner).count() == 1
    owner.refresh_from_db()
    assert owner.check_password(NEW)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("wrong", NEW, "This is not your password."),
        (OLD, "short", "Use at least 10 characters."),
        (OLD, "1234567890", "This password is one that many people use."),
    ],
)
def test_a_change_that_is_refused(owner, browser, old, new, said) -> None:
    client = browser()
    client.force_login(owner)
    assert said in changed(client, old, new).content.decode()
    owner.refresh_from_db()
    assert owner.check_password(OLD)


def test_guesses_of_the_old_password_are_limited(owner, browser) -> None:
    client = browser()
    client.force_login(owner)
    answers = [changed(client, old="wrong") for _ in range(OF_A_NAME + 1)]
    assert [answer.status_code for answer in answers] == [200] * OF_A_NAME + [429]
    assert changed(client).status_code == 429


# --- by mail --------------------------------------------------------------------------------------------
def ask(browser: Client, email: str):
    return browser.post("/password/reset/", {"email": email})


def test_a_link_in_a_mail_sets_a_new_password_once(owner, browser, simulator) -> None:
    owner.email = "Ann@example.org"
    owner.save()
    assert ask(browser(), "ann@example.org")["Location"] == "/password/reset/sent/"
    [mail] = eventually(lambda: mails_to(simulator, "Ann@example.org"), within_s=20)
    link = link_in(mail)
    assert link.startswith("https://tocsin.test/password/reset/")
    path = link.removeprefix("https://tocsin.test")
    client = browser()
    form = client.get(path, follow=True)
    assert b"new_password1" in form.content
    new = {"new_password1": NEW, "new_password2": NEW}
    assert client.post(form.redirect_chain[-1][0], new)["Location"] == "/login/"
    owner.refresh_from_db()
    assert owner.check_password(NEW)
    assert b"does not work any more" in browser().get(path, follow=True).content


def test_whose_mailbox_is_verified_and_who_has_a_password_gets_a_mail(owner, bob) -> None:
    now = timezone.now()
    bob.set_unusable_password()
    bob.save()
    for person in (owner, bob):
        Destination.objects.create(
            user=person, kind=Channel.EMAIL, address="both@example.org", verified_at=now
        )
    assert password.people_with("both@example.org") == [(owner, "both@example.org")]
    Destination.objects.update(verified_at=None)
    assert password.people_with("both@example.org") == []
    Destination.objects.update(verified_at=now, disabled_at=now, disabled_reason="dead")
    assert password.people_with("both@example.org") == []
    User.objects.filter(pk=owner.pk).update(email="both@example.org", is_active=False)
    assert password.people_with("both@example.org") == []


def test_the_answer_says_nothing_about_accounts(owner, browser, simulator) -> None:
    owner.email = "ann@example.org"
    owner.save()
    answers = [ask(browser(), email) for email in ("ann@example.org", "nobody@example.org")]
    seen = {(answer.status_code, answer["Location"], answer.content) for answer in answers}
    assert len(seen) == 1
    eventually(lambda: mails_to(simulator, "ann@example.org"), within_s=20)
    assert mails_to(simulator, "nobody@example.org") == []


def test_asking_is_limited_for_an_address_that_nobody_has_too(db, browser) -> None:
    answers = [ask(browser(), "nobody@example.org").status_code for _ in range(OF_A_NAME + 1)]
    assert answers == [302] * OF_A_NAME + [429]


@pytest.mark.parametrize(
    ("wish", "language"), [("de-CH,de;q=0.9", "de"), ("zh-CN", "zh"), ("fr", "en"), ("", "en")]
)
def test_who_is_signed_out_reads_their_browsers_language(client: Client, db, wish, language) -> None:
    for path in ("/login/", "/password/reset/", "/password/reset/sent/", "/password/reset/x/y/"):
        html = client.get(path, headers={"Accept-Language": wish}).content.decode()
        assert re.search(r'<html lang="(\w+)">', html)[1] == language
