"""`/users/{id}/destinations`: added, changed, disabled, removed and tested, by a source and by the person."""

import httpx
import pytest

from tests.gateway.api.test_profiles import CHAT, MAIL, client_of, refusal
from tests.gateway.servers import Server
from tests.kit.sign_in import token_for
from users import keys
from users.models import Destination, Reactivation, Source, User


@pytest.fixture
def manager(daphne: Server, transactional_db: None):
    source = Source.objects.create(name="shop", may_vouch=True)
    with client_of(daphne, keys.issue(source, ["people"])) as client:
        client.put("/users/alice", json={})
        yield client


@pytest.fixture
def alice(daphne: Server, manager):
    with client_of(daphne, token_for("alice")) as client:
        yield client


def add(client: httpx.Client, body: dict, who: str = "alice") -> dict:
    answer = client.post(f"/users/{who}/destinations", json=body)
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()


def test_a_source_adds_an_address_once(manager) -> None:
    first = manager.post("/users/alice/destinations", json={**CHAT, "label": "phone"})
    again = manager.post("/users/alice/destinations", json=CHAT)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert (first.json()["verified"], first.json()["label"], first.json()["sources"]) == (
        True,
        "phone",
        ["shop"],
    )
    assert manager.get("/users/alice/destinations").json() == {"destinations": [first.json()]}


def test_another_address_is_not_verified_unless_it_is_vouched_for(manager) -> None:
    path = f"/users/alice/destinations/{add(manager, CHAT)['id']}"
    Destination.objects.update(disabled_at="2026-01-01T00:00Z", disabled_reason="blocked", rechecks=2)
    said = manager.patch(path, json={"address": "222"}).json()
    assert (said["address"], said["verified"], said["enabled"]) == ("222", False, True)
    assert manager.patch(path, json={"address": "333", "verified": True}).json()["verified"] is True
    assert manager.patch(path, json={"address": "333"}).json()["verified"] is True
    assert manager.patch(path, json={"verified": False}).json()["verified"] is False


def test_two_destinations_with_one_address(manager) -> None:
    add(manager, CHAT)
    other = add(manager, {**CHAT, "address": "222"})
    answer = manager.patch(f"/users/alice/destinations/{other['id']}", json={"address": "100200300"})
    assert refusal(answer) == (409, "address_exists", "address")


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"address": "no chat"}, "invalid_address", "address"),
        ({"channel": "EMAIL"}, "unknown_field", "channel"),
        ({"enabled": 1}, "not_a_boolean", "enabled"),
        ({"label": "l" * 65}, "too_long", "label"),
    ],
)
def test_an_error_names_its_field(manager, body: dict, code: str, field: str) -> None:
    path = f"/users/alice/destinations/{add(manager, CHAT)['id']}"
    assert refusal(manager.patch(path, json=body)) == (422, code, field)
    assert refusal(manager.post("/users/alice/destinations", json=MAIL | {"address": "x"})) == (
        422,
        "invalid_address",
        "address",
    )


def test_one_that_was_refused_is_enabled_with_an_audit_row(manager) -> None:
    path = f"/users/alice/destinations/{add(manager, CHAT)['id']}"
    assert manager.patch(path, json={"enabled": False}).json()["disabled_reason"] == "disabled by shop"
    assert manager.patch(path, json={"enabled": True}).json()["enabled"] is True
    row = Reactivation.objects.get()
    assert (row.surface, row.who, row.count) == ("api", "shop", 1)


# --- the person -----------------------------------------------------------------------------------------
def test_a_person_adds_their_own_and_cannot_vouch(alice) -> None:
    said = add(alice, MAIL, "me")
    assert (said["verified"], said["sources"]) == (False, [])
    assert refusal(alice.post("/users/me/destinations", json=CHAT))[:2] == (403, "forbidden_verified")
    path = f"/users/me/destinations/{said['id']}"
    assert refusal(alice.patch(path, json={"verified": True}))[:2] == (403, "forbidden_verified")
    assert alice.patch(path, json={"label": "home"}).json()["label"] == "home"
    assert alice.delete(path).status_code == 204
    assert alice.get("/users/me/destinations").json() == {"destinations": []}


def test_what_the_person_removed_a_source_does_not_bring_back(manager, alice) -> None:
    path = f"/destinations/{add(manager, CHAT)['id']}"
    assert alice.delete(f"/users/me{path}").status_code == 204
    [address] = manager.put("/users/alice", json={"addresses": [CHAT]}).json()["addresses"]
    assert (address["enabled"], address["disabled_reason"]) == (False, "removed by the person")
    answer = manager.patch(f"/users/alice{path}", json={"enabled": True})
    assert refusal(answer) == (409, "disabled_by_person", "enabled")
    assert add(alice, {"channel": "TELEGRAM", "address": "100200300"}, "me")["enabled"] is True


def test_nobody_reaches_another_persons_destinations(manager, alice) -> None:
    manager.put("/users/bob", json={})
    theirs = add(manager, CHAT, "bob")["id"]
    calls = [
        alice.get("/users/bob/destinations"),
        alice.patch(f"/users/me/destinations/{theirs}", json={}),
        alice.delete(f"/users/bob/destinations/{theirs}"),
        alice.post(f"/users/me/destinations/{theirs}/test"),
        manager.delete(f"/users/alice/destinations/{theirs}"),
        manager.delete(f"/users/alice/destinations/{2**63}"),
    ]
    assert {refusal(call)[:2] for call in calls} == {(404, "not_found")}


def test_what_has_no_address_that_works_is_not_tested(manager, alice) -> None:
    path = f"/users/alice/destinations/{add(manager, MAIL)['id']}/test"
    assert refusal(manager.post(path)) == (409, "unverified", "")
    manager.patch(path.removesuffix("/test"), json={"verified": True})
    manager.patch("/users/alice", json={"active": False})
    assert refusal(manager.post(path)) == (409, "inactive_user", "")


def test_a_source_removes_what_it_likes(manager, alice) -> None:
    mine = add(alice, MAIL, "me")["id"]
    assert manager.delete(f"/users/alice/destinations/{mine}").status_code == 204
    assert User.objects.get(external_id="alice").destinations.count() == 0
