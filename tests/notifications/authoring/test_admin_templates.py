"""Templates in the admin: a list with their health, an editor with a preview, tests, and rights."""

import json

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from notifications.models import MessageTemplate, TemplateChange
from notifications.rendering import failures
from notifications.states import Channel
from notifications.transports.base import TemporaryError
from users.models import User

LIST = "/admin/notifications/messagetemplate/"


@pytest.fixture
def sign_in(db):
    def make(*rights: str) -> Client:
        """Sign in an operator with these rights; without any, a superuser."""
        user = User.objects.create_user("olga", external_id="olga", is_staff=True, is_superuser=not rights)
        user.user_permissions.set(Permission.objects.filter(codename__in=rights))
        client = Client()
        client.force_login(user)
        return client

    return make


def text(answer) -> str:
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def url(template, call: str = "") -> str:
    return f"{LIST}{template.pk}/{call or 'change'}/"


def form(**values) -> dict:
    return {"title": "New {{ payload.symbol }}", "body": "Body", "payload": '{"symbol": "BTC"}'} | values


def test_a_new_template_begins_with_the_shipped_wording(sign_in) -> None:
    client = sign_in()
    answer = client.post(f"{LIST}add/", {"event_type": "ORDER_FILLED", "channel": "", "locale": ""})
    template = MessageTemplate.objects.get()
    assert answer.headers["Location"] == url(template)
    assert (template.stem, template.draft_saved_by) == ("order_filled", "olga")
    assert "filled" in template.draft_title
    again = client.post(f"{LIST}add/", {"event_type": "order.filled", "channel": "", "locale": ""})
    assert "There is a template for this type" in text(again)


def test_the_editor_saves_publishes_and_goes_back(sign_in, write) -> None:
    client, template = sign_in(), write(title="One")

    def do(verb: str, **values) -> str:
        template.refresh_from_db()
        seen_at = template.draft_saved_at.isoformat()
        values = {"seen_at": seen_at, "title": template.draft_title, "body": template.draft_body} | values
        return text(client.post(url(template), values | {"do": verb}, follow=True))

    assert "The version in use has not changed" in do("save", title="Two")
    assert "Version 1 is published" in do("publish", title="Three")
    assert "already" in do("publish")
    assert "Version 2 is published" in do("publish", title="Four")
    assert "Version 1 is in use again" in do("publish_again", number="1")
    assert "no such version" in do("publish_again", number="9")
    assert "is that of the version in use" in do("discard")
    template.refresh_from_db()
    assert (template.draft_title, template.published.title) == ("Three", "Three")
    assert "Withdrawn" in do("withdraw")
    assert "Shipped wording in use" in text(client.get(url(template)))
    assert {one.who for one in TemplateChange.objects.all()} == {"olga"}


def test_what_was_typed_is_kept_where_somebody_else_was_first(sign_in, write) -> None:
    client, template = sign_in(), write(title="One")
    page = text(client.post(url(template), {"title": "Mine", "body": "", "seen_at": "", "do": "save"}))
    assert "olga has saved another draft meanwhile" in page
    assert ">Mine</textarea>" in page
    template.refresh_from_db()
    assert template.draft_title == "One"


def test_errors_are_shown_where_one_publishes(sign_in, write) -> None:
    client, template = sign_in(), write(title="One")
    values = {"title": "{{ a|safe }}", "body": "", "seen_at": template.draft_saved_at.isoformat()}
    page = text(client.post(url(template), values | {"do": "publish"}))
    assert "The draft has errors" in page
    assert "{{ a|safe }}" in page


def test_the_preview_shows_every_channel_as_it_would_be(sign_in, write) -> None:
    client, template = sign_in(), write("ORDER_FILLED", channel=Channel.TELEGRAM)
    shown = client.post(url(template, "preview"), form(body="<b>{{ payload.x }}</b>")).json()
    by_name = {one["name"]: one for one in shown["channels"]}
    assert list(by_name) == ["WEB", "TELEGRAM", "EMAIL"]
    assert by_name["TELEGRAM"]["html"].startswith("<b>New BTC</b>\n\n&lt;b&gt;&lt;/b&gt;")
    assert [one["uses_draft"] for one in shown["channels"]] == [False, True, False]
    assert by_name["EMAIL"]["title"].endswith("filled")
    assert [one["text"] for one in shown["findings"]] == ["Body: no sample of this type has the field x"]
    template.refresh_from_db()
    assert template.draft_title == "New"


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"payload": "{"}, "The payload is not JSON"),
        ({"payload": "[1]"}, "The payload is a JSON object."),
        ({"payload": " " * 70_000}, "longer than 64 KiB"),
    ],
)
def test_a_payload_that_is_none_is_told(sign_in, write, values, problem) -> None:
    answer = sign_in().post(url(write(), "preview"), form(**values))
    assert answer.status_code == 400
    assert problem in answer.json()["problem"]


def test_a_failing_draft_shows_what_is_sent_instead(sign_in, write) -> None:
    shown = sign_in().post(url(write(), "preview"), form(title="{{ payload.none }}")).json()
    assert {one["problem"] for one in shown["channels"]} == {"its title is empty"}
    assert shown["channels"][0]["title"] == "BTC filled"


def test_no_draft_breaks_the_preview(sign_in, write) -> None:
    client, template = sign_in(), write()
    for title in ("{{", "{% if %}", "{{ a|safe }}", "{% include 'x' %}", ""):
        shown = client.post(url(template, "preview"), form(title=title, locale="\0", time_zone="/x")).json()
        assert len(shown["channels"]) == 3


def test_a_test_is_sent_to_a_chosen_verified_address(sign_in, write, desk, ada, chat, provider) -> None:
    client, template, fake = sign_in(), write(), provider(channel=Channel.TELEGRAM)
    desk.address(ada, Channel.EMAIL, verified_at=None)
    listed = client.get(url(template, "destinations"), {"person": "ada"}).json()["destinations"]
    assert listed == [{"id": chat.pk, "label": "Telegram 42•••20"}]
    answer = client.post(url(template, "test"), form(person="ada", destination=chat.pk)).json()
    assert answer == {"sent": True, "text": "Telegram accepted it"}
    assert fake.sent[0][0] == chat.address
    assert fake.sent[0][1].html.startswith("<b>Test: New BTC</b>")
    assert TemplateChange.objects.first().note == f"to destination {chat.pk}: Telegram accepted it"


def test_what_the_provider_answers_is_shown_without_the_address(sign_in, write, ada, chat, provider) -> None:
    provider(TemporaryError(f"chat {chat.address} is busy"), channel=Channel.TELEGRAM)
    answer = sign_in().post(url(write(), "test"), form(person="ada", destination=chat.pk)).json()
    assert answer == {"sent": False, "text": "temporary: chat <address> is busy"}


def test_a_test_is_not_sent_where_the_draft_is_not_used(sign_in, write, ada, chat, provider) -> None:
    client, fake = sign_in(), provider(channel=Channel.TELEGRAM)
    for template, title in ((write(channel=Channel.EMAIL), "New"), (write(), "{{ payload.none }}")):
        answer = client.post(url(template, "test"), form(title=title, person="ada", destination=chat.pk))
        assert answer.json()["sent"] is False
    assert fake.sent == []


@pytest.mark.parametrize(
    ("rights", "allowed"),
    [
        (["view_messagetemplate"], {"look"}),
        (["change_messagetemplate"], {"look", "save", "own"}),
        (["view_messagetemplate", "publish_messagetemplate"], {"look", "publish"}),
        (["change_messagetemplate", "view_destination"], {"look", "save", "own", "others"}),
        (["view_event"], set()),
    ],
)
def test_each_right_is_one_of_its_own(sign_in, write, desk, ada, chat, rights, allowed) -> None:
    client, template = sign_in(*rights), write(title="One")
    seen = {"title": "One", "body": "", "seen_at": template.draft_saved_at.isoformat()}
    answers = {
        "look": client.post(url(template, "preview"), form()),
        "own": client.get(url(template, "destinations"), {"person": "olga"}),
        "others": client.get(url(template, "destinations"), {"person": "ada"}),
        "publish": client.post(url(template), seen | {"do": "publish"}),
        "save": client.post(url(template), seen | {"do": "save"}),
    }
    assert {name for name, answer in answers.items() if answer.status_code in {200, 302}} == allowed


def test_the_list_says_which_templates_are_broken(sign_in, force, write) -> None:
    write("ALERT_TRIGGERED")
    version = force(title="{{ payload.none }}")
    client = sign_in()
    assert "good" in text(client.get(LIST))
    failures.note(version.pk, "x, version 1", failures.TemplateFailed("empty", "its title is empty"))
    page = text(client.get(LIST))
    assert "broken since" in page
    assert "empty: its title is empty" in page
    assert "Broken since" in text(client.get(url(version.template)))


def test_only_a_draft_can_be_deleted(sign_in, publish, write) -> None:
    client, draft, used = sign_in(), write("ALERT_TRIGGERED"), publish().template
    for template in (draft, used):
        client.post(f"{LIST}{template.pk}/delete/", {"post": "yes"})
    assert list(MessageTemplate.objects.all()) == [used]


def test_the_samples_are_in_the_page_as_data(sign_in, write) -> None:
    page = text(sign_in().get(url(write("ORDER", is_family=True))))
    found = json.loads(
        page.partition('id="te-samples" type="application/json">')[2].partition("</script>")[0]
    )
    assert {"ORDER_FILLED", "ORDER_REJECTED"} <= set(found)
