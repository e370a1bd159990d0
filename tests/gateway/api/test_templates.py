"""`/templates`: a script writes, publishes and takes back stored wordings."""

import json

import pytest
from django.test import Client

from notifications.models import MessageTemplate, TemplateChange, TemplateVersion
from users import keys
from users.models import Source

FILLED = {"event_type": "ORDER_FILLED", "title": "{{ payload.symbol }} filled", "body": "Well done."}


class Script:
    def __init__(self, key: str) -> None:
        self._client = Client(headers={"Authorization": f"Bearer {key}"})

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, dict]:
        data = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        answer = getattr(self._client, method)(f"/api/v1/templates{path}", **data)
        return answer.status_code, answer.json()


@pytest.fixture
def script(db: None) -> Script:
    return Script(keys.issue(Source.objects.create(name="shop"), ["admin"]))


def test_a_template_is_written_and_published_and_the_same_again_changes_nothing(script) -> None:
    for _ in range(2):
        status, said = script.ask("put", "", FILLED | {"publish": True})
        assert (status, said["is_draft"], said["published"]["version"]) == (200, False, 1)
    assert TemplateVersion.objects.count() == 1
    assert [one.action for one in TemplateChange.objects.order_by("id")] == ["created", "published"]
    change = TemplateChange.objects.latest("id")
    assert change.surface == "api"
    assert change.who.startswith("shop tsn_")
    _, said = script.ask("put", "", FILLED | {"event_type": "order.filled", "title": "New"})
    assert (said["is_draft"], said["title"], said["published"]["title"]) == (True, "New", FILLED["title"])
    assert MessageTemplate.objects.count() == 1


def test_one_for_a_channel_and_a_language_is_another_one(script) -> None:
    for more in ({}, {"channel": "EMAIL"}, {"locale": "de"}, {"event_type": "ORDER", "is_family": True}):
        assert script.ask("put", "", FILLED | more)[0] == 200
    status, said = script.ask("get", "")
    assert status == 200
    kinds = [
        (one["event_type"], one["is_family"], one["channel"], one["locale"]) for one in said["templates"]
    ]
    assert len(set(kinds)) == 4


def test_errors_change_nothing(script) -> None:
    status, said = script.ask("put", "", FILLED | {"body": "\n{{ payload.x|safe }}", "publish": True})
    assert (status, said["code"]) == (422, "invalid_template")
    assert [(one["level"], one["field"], one["line"]) for one in said["findings"]] == [("error", "body", 1)]
    assert not MessageTemplate.objects.exists()


def test_likely_mistakes_are_told(script) -> None:
    _, said = script.ask("put", "", FILLED | {"body": "{{ payload.symbl }}", "publish": True})
    assert [one["text"] for one in said["findings"]] == ["no sample of this type has the field symbl"]


def test_a_preview_stores_nothing(script) -> None:
    sample = {"payload": {"symbol": "<b>"}, "locale": "de", "priority": "CRITICAL"}
    status, said = script.ask("post", "/preview", FILLED | {"channel": "TELEGRAM", "sample": sample})
    assert status == 200
    assert said["channels"]["TELEGRAM"]["html"].startswith("🚨 <b>&lt;b&gt; filled</b>")
    assert [one["uses_template"] for one in said["channels"].values()] == [False, True, False]
    assert not MessageTemplate.objects.exists()


def test_an_earlier_version_and_the_shipped_wording_can_be_used_again(script) -> None:
    for title in ("One", "Two"):
        _, said = script.ask("put", "", FILLED | {"title": title, "publish": True})
    path = f"/{said['id']}/published"
    for version, in_use in ((1, "One"), (1, "One"), (2, "Two")):
        assert script.ask("put", path, {"version": version})[1]["published"]["title"] == in_use
    assert script.ask("put", path, {"version": None})[1]["published"] is None
    assert TemplateChange.objects.filter(action="published again").count() == 2
    assert script.ask("put", path, {"version": 9})[1]["code"] == "not_found"
    assert script.ask("put", "/999999/published", {"version": 1})[1]["code"] == "not_found"


@pytest.mark.parametrize(
    ("more", "code", "field"),
    [
        ({"event_type": ""}, "invalid_template", "event_type"),
        ({"event_type": "a b"}, "invalid_template", "event_type"),
        ({"locale": "Deutsch"}, "invalid_template", "locale"),
        ({"channel": "FAX"}, "unknown_value", "channel"),
        ({"title": 7}, "not_a_string", "title"),
        ({"publish": "yes"}, "not_a_boolean", "publish"),
        ({"text": "a"}, "unknown_field", "text"),
        ({"body": "x" * 10_001}, "too_long", "body"),
    ],
)
def test_what_is_no_template_says_which_field(script, more, code, field) -> None:
    status, said = script.ask("put", "", FILLED | more)
    assert (status, said["code"], said["field"]) == (422, code, field)


def test_it_takes_the_scope_admin(db) -> None:
    script = Script(keys.issue(Source.objects.create(name="shop"), ["publish", "read", "people"]))
    for method, path in (("get", ""), ("put", ""), ("post", "/preview"), ("put", "/1/published")):
        status, said = script.ask(method, path, FILLED if method != "get" else None)
        assert (status, said["code"]) == (403, "missing_scope")
