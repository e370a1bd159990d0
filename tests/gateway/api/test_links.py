"""Links for Telegram: for oneself or, as an operator's system, for anybody; a few of them at a time."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import transaction
from django.test import Client

from notifications.states import Channel
from tests.kit.sign_in import JWT_KEY_SETTING, token_for
from users import keys, linking
from users.models import LinkToken

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def bot(settings) -> None:
    settings.TELEGRAM_BOT_TOKEN = "1000:token"
    settings.TELEGRAM_BOT_NAME = "tocsin_bot"
    settings.JWT_PUBLIC_KEYS = [JWT_KEY_SETTING["JWT_PUBLIC_KEYS"].replace("\\n", "\n")]


def ask(key: str, user_id: str = "me"):
    path = f"/api/v1/users/{user_id}/destinations/telegram/link"
    return Client().post(path, headers={"Authorization": f"Bearer {key}"})


def test_a_person_gets_a_link_of_their_own(ann) -> None:
    answer = ask(token_for("ann"))
    assert answer.status_code == 201
    link = urlsplit(answer.json()["url"])
    assert (link.scheme, link.netloc, link.path) == ("https", "t.me", "/tocsin_bot")
    row = LinkToken.objects.get()
    assert (row.user, row.kind) == (ann, Channel.TELEGRAM)
    assert answer.json()["expires_at"] == round(row.expires_at.timestamp() * 1000)
    with transaction.atomic():
        opened = linking.open_link(parse_qs(link.query)["start"][0], row.kind, "4242", now=row.created_at)
    assert opened.pk == row.pk


def test_a_source_gets_one_for_a_person(ann, venue) -> None:
    assert ask(keys.issue(venue, ["people"]), "ann").status_code == 201
    answer = ask(keys.issue(venue, ["read"]), "ann")
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
    assert ask(keys.issue(venue, ["people"]), "nobody").json()["code"] == "not_found"


def test_nobody_gets_one_for_somebody_else(ann, bob) -> None:
    assert ask(token_for("ann"), "bob").json()["code"] == "not_found"
    assert LinkToken.objects.count() == 0


def test_there_is_a_limit(ann) -> None:
    answers = [ask(token_for("ann")) for _ in range(6)]
    assert [one.status_code for one in answers] == [201] * 5 + [429]
    assert answers[-1].json()["code"] == "too_many_links"
    assert 0 < int(answers[-1]["Retry-After"]) <= 600


def test_without_a_bot_there_is_no_link(ann, settings) -> None:
    settings.TELEGRAM_BOT_TOKEN = ""
    answer = ask(token_for("ann"))
    assert (answer.status_code, answer.json()["code"]) == (409, "channel_off")
