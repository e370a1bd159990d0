"""`/hooks`, `/accounts` and `/quarantine`: what an operator's script does."""

import json

import pytest
from django.test import Client
from django.utils import timezone

from gateway.ingress.hooks import HookRequest, take
from notifications.models import Event, Quarantine
from users import hooks, keys
from users.models import Account, Hook, Source, User

OPTIONS = {"to": {"account": "{owner}"}, "event_id": "{id}", "event_type": "build.finished"}


class Script:
    def __init__(self, key: str) -> None:
        self._client = Client(headers={"Authorization": f"Bearer {key}"})

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, dict]:
        data = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        answer = getattr(self._client, method)(f"/api/v1{path}", **data)
        return answer.status_code, json.loads(answer.content or b"{}")


@pytest.fixture
def source(transactional_db: None) -> Source:
    return Source.objects.create(name="shop", people_prefixes=["a"])


@pytest.fixture
def script(source: Source) -> Script:
    User.objects.create_user("ann", external_id="ann")
    User.objects.create_user("bob", external_id="bob")
    return Script(keys.issue(source, ["admin"]))


def post(token: str, body: object):
    [answer] = take([HookRequest("json", token, json.dumps(body).encode(), "application/json")])
    return answer


def test_a_hook_is_made_changed_rotated_and_deleted(script: Script) -> None:
    status, made = script.ask("post", "/hooks", {"normalizer": "json", "options": OPTIONS, "note": "CI"})
    assert status == 201
    assert made["url"].endswith(f"/api/v1/hooks/json/{made['token']}")
    assert made["token"] not in json.dumps(script.ask("get", "/hooks")[1])
    path = f"/hooks/{made['id']}"
    assert script.ask("get", path)[1]["options"] == OPTIONS
    assert script.ask("patch", path, {"enabled": False})[1]["enabled"] is False
    status, rotated = script.ask("put", f"{path}/token", {"previous_for_s": 0})
    assert (status, sorted(rotated)) == (200, ["token", "url"])
    assert not hooks.authenticate_all([made["token"], rotated["token"]], now=timezone.now())
    script.ask("patch", path, {"enabled": True})
    assert list(hooks.authenticate_all([made["token"], rotated["token"]], now=timezone.now())) == [
        rotated["token"]
    ]
    assert script.ask("delete", path)[0] == 204
    assert script.ask("get", path)[0] == 404


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"normalizer": "x"}, "unknown_normalizer", "normalizer"),
        ({"normalizer": "json"}, "invalid_options", "to"),
        ({"normalizer": "json", "options": OPTIONS | {"topic": "t"}}, "invalid_options", "topic"),
        ({"normalizer": "json", "options": OPTIONS | {"event_id": "a{b"}}, "invalid_options", "event_id"),
        ({"normalizer": "json", "options": OPTIONS | {"event_id": "{a b}"}}, "invalid_options", "event_id"),
        ({"normalizer": "json", "options": OPTIONS | {"items": "x"}}, "invalid_options", "items"),
        ({"normalizer": "json", "options": []}, "not_an_object", "options"),
        ({"normalizer": "json", "colour": "red"}, "unknown_field", "colour"),
    ],
)
def test_options_that_cannot_be_read_are_refused(script: Script, body: dict, code: str, field: str) -> None:
    status, said = script.ask("post", "/hooks", body)
    assert (status, said["code"], said["field"]) == (422, code, field)
    assert not Hook.objects.exists()


def test_another_sources_hooks_and_quarantine_are_not_shown(script: Script) -> None:
    other = Source.objects.create(name="other")
    hook = Hook(source=other, normalizer="json", options=OPTIONS)
    post(hooks.issue(hook), {"owner": "1"})
    kept = Quarantine.objects.get()
    assert script.ask("get", "/hooks")[1] == {"hooks": []}
    assert script.ask("get", f"/hooks/{hook.pk}")[0] == 404
    assert script.ask("get", "/quarantine")[1]["quarantine"] == []
    assert script.ask("post", f"/quarantine/{kept.pk}/retry")[0] == 404


def test_accounts_are_set_and_forgotten_all_or_none(script: Script, source: Source) -> None:
    wanted = [{"account": "1", "user_id": "ann"}, {"account": "2", "user_id": "nobody"}]
    status, said = script.ask("put", "/accounts", {"accounts": wanted})
    assert (status, said["code"], said["field"]) == (403, "forbidden_user", "accounts[1].user_id")
    wanted[1]["user_id"] = "a-stranger"
    assert script.ask("put", "/accounts", {"accounts": wanted})[1]["code"] == "unknown_user"
    assert not Account.objects.exists()
    wanted[1]["user_id"] = "ann"
    assert script.ask("put", "/accounts", {"accounts": wanted}) == (200, {"set": 2, "forgotten": 0})
    page = script.ask("get", "/accounts?limit=1")[1]
    assert page == {"accounts": [wanted[0]], "next_after": "1"}
    assert script.ask("get", "/accounts?after=1")[1] == {"accounts": [wanted[1]], "next_after": None}
    script.ask("put", "/accounts", {"accounts": [{"account": "1", "user_id": None}]})
    assert [one.account for one in Account.objects.all()] == ["2"]


def test_what_is_kept_is_listed_and_tried_again(script: Script, source: Source) -> None:
    hook = Hook(source=source, normalizer="json", options=OPTIONS)
    answer = post(hooks.issue(hook), {"owner": "1", "id": "e1"})
    [shown] = script.ask("get", "/quarantine")[1]["quarantine"]
    assert (shown["id"], shown["code"], shown["hook"]) == (answer.quarantine_id, "unknown_account", hook.pk)
    retry = f"/quarantine/{shown['id']}/retry"
    status, said = script.ask("post", retry)
    assert (status, said["code"], said["quarantine_id"]) == (422, "unknown_account", shown["id"])
    script.ask("put", "/accounts", {"accounts": [{"account": "1", "user_id": "ann"}]})
    assert script.ask("post", retry) == (200, {"id": shown["id"], "accepted": True})
    assert script.ask("get", "/quarantine")[1]["quarantine"] == []
    assert Event.objects.get().event_id == "e1"
