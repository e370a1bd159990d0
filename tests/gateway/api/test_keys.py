"""/keys: a source lists, issues, rotates and revokes its own keys."""

import time

import pytest
from django.test import Client

from users import keys
from users.models import ApiKey, Source


class Caller:
    def __init__(self, name: str, *scopes: str) -> None:
        self.source, _ = Source.objects.get_or_create(name=name)
        self.key = keys.issue(self.source, list(scopes))
        self.prefix = self.key.split("_")[1]
        self.client = Client(headers={"Authorization": f"Bearer {self.key}"})

    def post(self, path: str, body: object = None):
        return self.client.post(f"/api/v1/keys{path}", body or {}, content_type="application/json")

    def listed(self) -> dict[str, dict]:
        found = self.client.get("/api/v1/keys").json()["keys"]
        return {one["prefix"]: one for one in found}


@pytest.fixture
def admin(db) -> Caller:
    return Caller("exchange", "admin", "publish")


def call_with(key: str) -> int:
    return Client(headers={"Authorization": f"Bearer {key}"}).get("/api/v1/keys").status_code


def test_a_source_sees_its_own_live_keys_and_when_they_were_used(admin) -> None:
    Caller("other", "admin")
    unused = Caller("exchange", "publish")
    found = admin.listed()
    assert set(found) == {admin.prefix, unused.prefix}
    assert found[admin.prefix]["last_used_at"] > (time.time() - 60) * 1000
    assert found[unused.prefix]["last_used_at"] is None
    assert "key" not in found[admin.prefix]


def test_a_key_is_issued_with_a_name_and_shown_once(admin) -> None:
    answer = admin.post("", {"name": "billing", "scopes": ["publish", "people"]})
    assert answer.status_code == 201 and answer["Cache-Control"] == "no-store"
    made = answer.json()
    assert (made["name"], made["scopes"]) == ("billing", ["publish", "people"])
    assert call_with(made["key"]) == 403  # it works, without the scope
    assert made["key"] not in str(admin.listed())


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "missing_field"),
        ({"scopes": ["everything"]}, 422, "unknown_value"),
        ({"scopes": ["replay"]}, 403, "missing_scope"),
        ({"scopes": ["publish"], "color": "red"}, 422, "unknown_field"),
        ({"scopes": ["publish"], "expires_at": 1_600_000_000_000}, 422, "out_of_range"),
    ],
)
def test_a_key_can_do_no_more_than_the_one_that_issued_it(admin, body, status, code) -> None:
    answer = admin.post("", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert ApiKey.objects.count() == 1


def test_a_rotation_leaves_both_keys_good_for_the_overlap(admin) -> None:
    answer = admin.post(f"/{admin.prefix}/rotate", {"overlap_s": 600})
    assert answer.status_code == 201
    made = answer.json()
    assert made["replaces"]["prefix"] == admin.prefix
    ahead_s = made["replaces"]["expires_at"] / 1000 - time.time()
    assert 590 < ahead_s < 610
    assert call_with(made["key"]) == call_with(admin.key) == 200


def test_without_an_overlap_the_old_key_ends_at_once(admin) -> None:
    made = admin.post(f"/{admin.prefix}/rotate", {"overlap_s": 0}).json()
    assert (call_with(admin.key), call_with(made["key"])) == (401, 200)


def test_a_revoked_key_is_refused_at_once(admin) -> None:
    other = Caller("exchange", "admin")
    assert admin.client.delete(f"/api/v1/keys/{other.prefix}").status_code == 204
    assert call_with(other.key) == 401
    assert admin.client.delete(f"/api/v1/keys/{other.prefix}").status_code == 404


def test_the_keys_of_another_source_are_not_there(admin) -> None:
    other = Caller("other", "admin")
    assert admin.post(f"/{other.prefix}/rotate").json()["code"] == "not_found"
    assert admin.client.delete(f"/api/v1/keys/{other.prefix}").status_code == 404
    assert call_with(other.key) == 200


def test_it_needs_the_scope_admin(db) -> None:
    assert Caller("exchange", "publish").post("").json()["code"] == "missing_scope"
