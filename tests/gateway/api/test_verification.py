"""`POST …/destinations/{id}/verify`: the code goes by e-mail, and the person who reads it there enters it."""

import pytest
from django.test import Client

from notifications.states import Channel
from tests.gateway.mailbox import code_in, link_in, mails_to
from tests.kit.sign_in import JWT_KEY_SETTING, token_for
from tests.kit.simulator import SimulatorProcess
from users import keys
from users.models import Destination, Verification

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def process():
    simulator = SimulatorProcess()
    yield simulator
    simulator.stop()


@pytest.fixture(autouse=True)
def simulator(process, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", process.smtp_port
    settings.TOCSIN_PUBLIC_URL = "https://tocsin.test"
    settings.JWT_PUBLIC_KEYS = [JWT_KEY_SETTING["JWT_PUBLIC_KEYS"].replace("\\n", "\n")]
    process.reset()
    return process


@pytest.fixture
def mailbox(ann) -> Destination:
    return Destination.objects.create(user=ann, kind=Channel.EMAIL, address="ann@example.org")


def ask(key: str, pk: int, user_id: str = "me", **body: object):
    path = f"/api/v1/users/{user_id}/destinations/{pk}/verify"
    headers = {"Authorization": f"Bearer {key}"}
    return Client().post(path, body or "", content_type="application/json", headers=headers)


def refusal(answer) -> tuple[int, str]:
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"]
    return answer.status_code, answer.json()["code"]


def test_a_person_verifies_their_own_address(mailbox, simulator) -> None:
    answer = ask(token_for("ann"), mailbox.pk)
    assert (answer.status_code, list(answer.json())) == (202, ["expires_at"])
    row = Verification.objects.get()
    assert answer.json()["expires_at"] == round(row.expires_at.timestamp() * 1000)
    [mail] = mails_to(simulator, "ann@example.org")
    assert link_in(mail).startswith("https://tocsin.test/verify/")
    said = ask(token_for("ann"), mailbox.pk, code=code_in(mail))
    assert (said.status_code, said.json()["id"], said.json()["verified"]) == (200, mailbox.pk, True)
    assert refusal(ask(token_for("ann"), mailbox.pk)) == (409, "already_verified")
    assert refusal(ask(token_for("ann"), mailbox.pk, code=code_in(mail))) == (409, "already_verified")


def test_a_source_starts_it_for_a_person(mailbox, venue, simulator) -> None:
    assert ask(keys.issue(venue, ["people"]), mailbox.pk, "ann").status_code == 202
    [mail] = mails_to(simulator, "ann@example.org")
    assert ask(keys.issue(venue, ["admin"]), mailbox.pk, "ann", code=code_in(mail)).status_code == 200
    assert refusal(ask(keys.issue(venue, ["read"]), mailbox.pk, "ann")) == (403, "missing_scope")


def test_the_mail_is_in_the_persons_language(ann, simulator, settings) -> None:
    titles = {"en": "Confirm this address", "de": "Adresse bestätigen", "zh": "确认此地址"}
    for locale in titles:
        ann.locale = locale
        ann.save()
        one = Destination.objects.create(user=ann, kind=Channel.EMAIL, address=f"{locale}@example.org")
        assert ask(token_for("ann"), one.pk).status_code == 202
        [mail] = mails_to(simulator, one.address)
        assert mail["subject"] == titles[locale]
        assert ("If you did not ask" in mail["text"]) is (locale == "en")
        assert "/verify/" in mail["text"]
    settings.TOCSIN_PUBLIC_URL = ""
    ask(token_for("ann"), one.pk)
    [_, mail] = mails_to(simulator, one.address)
    assert code_in(mail) and "http" not in mail["text"]


def test_a_wrong_code_says_how_many_tries_are_left(mailbox, simulator) -> None:
    ask(token_for("ann"), mailbox.pk)
    code = code_in(mails_to(simulator, "ann@example.org")[0])
    answers = [ask(token_for("ann"), mailbox.pk, code=f"x{code}") for _ in range(5)]
    assert {refusal(answer) for answer in answers} == {(422, "code_wrong")}
    assert [answer.json()["tries_left"] for answer in answers] == [4, 3, 2, 1, 0]
    assert refusal(ask(token_for("ann"), mailbox.pk, code=code)) == (409, "code_expired")


def test_too_many_codes(mailbox, simulator) -> None:
    answers = [ask(token_for("ann"), mailbox.pk) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert refusal(answers[-1]) == (429, "too_many_codes")
    assert 0 < int(answers[-1]["Retry-After"]) <= 900
    assert len(mails_to(simulator, "ann@example.org")) == 3


def test_nobody_verifies_what_is_not_theirs(mailbox, bob, venue, simulator) -> None:
    calls = [
        ask(token_for("bob"), mailbox.pk),
        ask(token_for("bob"), mailbox.pk, code="123456"),
        ask(token_for("bob"), mailbox.pk, "ann"),
        ask(keys.issue(venue, ["people"]), mailbox.pk, "bob"),
    ]
    assert {refusal(call) for call in calls} == {(404, "not_found")}
    assert (simulator.received("smtp"), Verification.objects.count()) == ([], 0)


def test_a_chat_is_linked_instead(ann, simulator) -> None:
    chat = Destination.objects.create(user=ann, kind=Channel.TELEGRAM, address="4242")
    answer = ask(token_for("ann"), chat.pk)
    assert refusal(answer) == (409, "cannot_verify")
    assert "destinations/telegram/link" in answer.json()["detail"]


def test_what_the_provider_refuses_is_said(mailbox, simulator) -> None:
    simulator.misbehave("smtp", error="mailbox_unknown")
    assert refusal(ask(token_for("ann"), mailbox.pk)) == (409, "address_refused")
    simulator.misbehave("smtp", error="greylisted")
    answers = [ask(token_for("ann"), mailbox.pk) for _ in range(4)]
    assert {refusal(answer) for answer in answers} == {(503, "code_not_sent")}
    assert Verification.objects.count() == 1  # of the refused one: what did not leave does not count


def test_a_field_that_is_unknown(mailbox) -> None:
    assert refusal(ask(token_for("ann"), mailbox.pk, token="x")) == (422, "unknown_field")
