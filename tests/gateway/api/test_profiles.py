"""`/users` and `/users/{id}`: a source creates, changes and finds people; a person sees their own."""

import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.gateway.servers import Server
from tests.kit.sign_in import cookie_of, token_for
from users import keys
from users.models import Source, User

CHAT = {"channel": "TELEGRAM", "address": "100200300", "verified": True}
MAIL = {"channel": "EMAIL", "address": "alice@example.org"}


@pytest.fixture
def shop(transactional_db: None) -> Source:
    return Source.objects.create(name="shop", may_vouch=True)


def client_of(daphne: Server, token: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=f"{daphne.url}/api/v1", headers=headers, timeout=20, trust_env=False)


@pytest.fixture
def manager(daphne: Server, shop: Source):
    with client_of(daphne, keys.issue(shop, ["people"])) as client:
        yield client


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    said = answer.json()
    assert said["detail"]
    return answer.status_code, said["code"], said.get("field", "")


def test_a_put_creates_a_person_and_the_same_again_changes_nothing(manager) -> None:
    body = {"name": "Alice  Liddell", "locale": "DE-ch", "time_zone": "Europe/Zurich", "groups": ["traders"]}
    for status, result in ((201, "created"), (200, "unchanged")):
        answer = manager.put("/users/alice", json={**body, "addresses": [CHAT, MAIL]})
        assert (answer.status_code, answer.json()["result"]) == (status, result)
    said = answer.json()
    assert (said["user_id"], said["name"], said["locale"]) == ("alice", "Alice Liddell", "de-CH")
    assert (said["groups"], said["active"], said["warnings"]) == (["traders"], True, [])
    chat, mail = said["addresses"]
    assert (chat["channel"], chat["address"], chat["verified"]) == ("TELEGRAM", "100200300", True)
    assert (mail["channel"], mail["verified"], mail["sources"]) == ("EMAIL", False, ["shop"])
    assert manager.get("/users/alice").json() == {
        name: value for name, value in said.items() if name not in {"result", "warnings"}
    }


def test_ten_producers_put_the_same_person_at_once(manager) -> None:
    with ThreadPoolExecutor(10) as threads:
        answers = threads.map(lambda _: manager.put("/users/alice", json={"addresses": [CHAT]}), range(10))
        assert sorted(answer.status_code for answer in answers) == [200] * 9 + [201]
    assert len(manager.get("/users/alice").json()["addresses"]) == 1


def test_a_patch_changes_what_it_names(manager) -> None:
    manager.put("/users/alice", json={"locale": "de", "addresses": [CHAT]})
    said = manager.patch("/users/alice", json={"time_zone": "Asia/Tokyo", "addresses": [MAIL]}).json()
    assert (said["result"], said["locale"], said["time_zone"]) == ("updated", "de", "Asia/Tokyo")
    assert [one["address"] for one in said["addresses"]] == ["100200300", "alice@example.org"]
    assert refusal(manager.patch("/users/nobody", json={})) == (404, "not_found", "user_id")


def test_an_address_that_somebody_else_has_is_accepted_with_a_warning(manager) -> None:
    manager.put("/users/alice", json={"addresses": [CHAT]})
    [warning] = manager.put("/users/bob", json={"addresses": [CHAT]}).json()["warnings"]
    assert (warning["code"], warning["field"]) == ("address_shared", "addresses")
    assert "100200300" not in warning["detail"]


INVALID = {
    "an unknown field": ({"email": "a@b.ch"}, "unknown_field", "email"),
    "a number as name": ({"name": 7}, "not_a_string", "name"),
    "an unknown locale": ({"locale": "german"}, "unknown_locale", "locale"),
    "an unknown time zone": ({"time_zone": "Zurich"}, "unknown_time_zone", "time_zone"),
    "active as text": ({"active": "yes"}, "not_a_boolean", "active"),
    "groups as text": ({"groups": "traders"}, "invalid_groups", "groups"),
    "an empty group": ({"groups": ["a", " "]}, "invalid_groups", "groups[1]"),
    "addresses as an object": ({"addresses": {}}, "too_many_addresses", "addresses"),
    "a channel without addresses": (
        {"addresses": [{"channel": "WEB", "address": "x"}]},
        "unknown_value",
        "addresses[0].channel",
    ),
    "no address": ({"addresses": [CHAT, {"channel": "EMAIL"}]}, "missing_field", "addresses[1].address"),
    "no e-mail address": (
        {"addresses": [{"channel": "EMAIL", "address": "alice"}]},
        "invalid_address",
        "addresses[0].address",
    ),
    "an unknown field of an address": (
        {"addresses": [{**CHAT, "primary": True}]},
        "unknown_field",
        "addresses[0].primary",
    ),
    "a NUL": ({"name": "a\0"}, "invalid_text", "name"),
}


@pytest.mark.parametrize(("body", "code", "field"), INVALID.values(), ids=INVALID)
def test_an_error_names_its_field(manager, body: dict, code: str, field: str) -> None:
    assert refusal(manager.put("/users/alice", json=body)) == (422, code, field)
    assert refusal(manager.get("/users/alice"))[:2] == (404, "not_found")


def test_ids_that_cannot_be(manager) -> None:
    assert refusal(manager.put("/users/me", json={})) == (422, "invalid_user_id", "user_id")
    assert refusal(manager.put("/users/%20", json={})) == (422, "missing_field", "user_id")
    assert refusal(manager.put(f"/users/{'u' * 129}", json={})) == (422, "too_long", "user_id")
    assert refusal(manager.put("/users/a%00b", json={})) == (422, "invalid_text", "user_id")


# --- many -----------------------------------------------------------------------------------------------
def test_a_thousand_people_in_one_call_with_a_result_for_each(manager) -> None:
    users = [
        {"user_id": f"u{n}", "name": f"Person {n}", "addresses": [{**CHAT, "address": str(n)}]}
        for n in range(1_000)
    ]
    users[3] = {"user_id": "u3", "locale": "xx-yy-zz"}
    users[5] = "u5"
    assert len(json.dumps({"users": [*users, users[0]]})) < 256 * 1024
    results = manager.post("/users", json={"users": users}).json()["results"]
    assert len(results) == 1_000
    assert results[0] == {"user_id": "u0", "result": "created"}
    assert (results[3]["result"], results[3]["code"], results[3]["field"]) == (
        "rejected",
        "unknown_locale",
        "locale",
    )
    assert (results[5]["user_id"], results[5]["code"]) == ("", "not_an_object")
    assert User.objects.filter(external_id__startswith="u").count() == 998


def test_a_call_for_many_may_be_four_mebibytes_long(manager) -> None:
    users = [{"user_id": f"{n:0>120}", "name": "n" * 150} for n in range(1_000)]
    assert len(json.dumps({"users": users})) > 256 * 1024
    results = manager.post("/users", json={"users": users}).json()["results"]
    assert {one["result"] for one in results} == {"created"}


def test_too_many_at_once_and_no_list(manager) -> None:
    assert refusal(manager.post("/users", json={"users": [{}] * 1_001})) == (413, "too_large", "users")
    assert refusal(manager.post("/users", json={"people": []})) == (422, "not_an_object", "users")


def test_people_are_found_page_by_page(manager) -> None:
    users = [{"user_id": f"u{n}", "name": f"Anna {n}", "groups": ["even"] * (n % 2 == 0)} for n in range(7)]
    manager.post("/users", json={"users": users})
    manager.put("/users/bob", json={"addresses": [CHAT], "active": False})

    def found(**parameters: object) -> list[str]:
        ids, cursor = [], 0
        while cursor is not None:
            answer = manager.get("/users", params={"limit": 3, "cursor": cursor, **parameters})
            assert answer.status_code == 200, answer.text
            ids += [person["user_id"] for person in answer.json()["users"]]
            cursor = answer.json()["next_cursor"]
        return ids

    assert found() == [f"u{n}" for n in range(7)] + ["bob"]
    assert found(group="even") == ["u0", "u2", "u4", "u6"]
    assert found(prefix="u") == [f"u{n}" for n in range(7)]
    assert found(search="anna 3") == ["u3"]
    assert found(search="100200300") == ["bob"]
    assert found(active="false") == ["bob"]
    assert found(user_id=["u1", "bob"]) == ["u1", "bob"]
    assert refusal(manager.get("/users?name=x")) == (422, "unknown_field", "name")
    assert refusal(manager.get("/users?active=1")) == (422, "not_a_boolean", "active")


# --- who may --------------------------------------------------------------------------------------------
def test_a_source_that_may_not_vouch_is_told_so(manager, shop: Source) -> None:
    Source.objects.update(may_vouch=False)
    assert refusal(manager.put("/users/alice", json={"addresses": [CHAT]})) == (
        403,
        "forbidden_verified",
        "addresses",
    )
    assert manager.put("/users/alice", json={"addresses": [MAIL]}).status_code == 201


def test_a_source_manages_only_whom_its_rule_allows(daphne: Server, manager, shop: Source) -> None:
    for external_id in ("eu-1", "us-1"):
        manager.put(f"/users/{external_id}", json={"groups": ["traders"] if external_id == "us-1" else []})
    User.objects.create(username="us-2", external_id="us-2")
    Source.objects.update(people_prefixes=["eu-"], people_groups=["traders"])
    assert manager.patch("/users/us-1", json={"name": "Uma"}).status_code == 200
    calls = [
        manager.put("/users/us-2", json={}),
        manager.get("/users/us-2"),
        manager.get("/users/nobody"),
        manager.get("/users/us-2/destinations"),
        manager.put("/users/us-2/preferences", json={}),
    ]
    with client_of(daphne, keys.issue(shop, ["tickets", "read", "admin"])) as other:
        calls += [
            other.post("/tickets", json={"user_id": "us-2"}),
            other.get("/users/us-2/reachability"),
            other.get("/users/us-2/topics"),
            other.post("/users/us-2/revoke"),
        ]
    assert {refusal(call)[:2] for call in calls} == {(403, "forbidden_user")}
    assert [person["user_id"] for person in manager.get("/users").json()["users"]] == ["eu-1", "us-1"]
    [result] = manager.post("/users", json={"users": [{"user_id": "us-2"}]}).json()["results"]
    assert (result["result"], result["code"]) == ("rejected", "forbidden_user")


@pytest.mark.parametrize("scopes", [["publish", "read"], ["tickets", "replay"]])
def test_a_key_needs_the_scope(daphne: Server, shop: Source, scopes: list[str]) -> None:
    with client_of(daphne, keys.issue(shop, scopes)) as client:
        assert refusal(client.put("/users/alice", json={}))[:2] == (403, "missing_scope")
        assert refusal(client.get("/users"))[:2] == (403, "missing_scope")
    with client_of(daphne, keys.issue(shop, ["admin"])) as client:
        assert client.put("/users/alice", json={}).status_code == 201


def test_a_person_sees_and_sets_their_own_and_nobody_elses(daphne: Server, manager) -> None:
    manager.put("/users/alice", json={"locale": "en", "addresses": [CHAT]})
    manager.put("/users/bob", json={})
    with client_of(daphne, token_for("alice")) as alice:
        assert alice.get("/users/me").json()["addresses"][0]["address"] == "100200300"
        assert alice.patch("/users/me", json={"locale": "fr"}).json()["locale"] == "fr"
        assert refusal(alice.patch("/users/me", json={"name": "Root"})) == (422, "unknown_field", "name")
        assert refusal(alice.patch("/users/bob", json={"locale": "fr"}))[:2] == (404, "not_found")
        assert refusal(alice.get("/users/bob"))[:2] == (404, "not_found")
        for call in (alice.put("/users/me", json={}), alice.get("/users"), alice.post("/users", json={})):
            assert refusal(call)[:2] == (403, "missing_scope")
    said = manager.put("/users/alice", json={"locale": "de"}).json()
    assert (said["locale"], [one["code"] for one in said["warnings"]]) == ("fr", ["kept"])


def test_a_change_by_browser_session_needs_its_csrf_token(daphne: Server, ann) -> None:
    url, cookie = f"{daphne.url}/api/v1/users/me", {"Cookie": cookie_of(ann)}
    answer = httpx.patch(url, json={"locale": "fr"}, headers=cookie, trust_env=False)
    assert refusal(answer)[:2] == (403, "csrf_failed")
    csrf = "a" * 32
    headers = {"Cookie": f"{cookie_of(ann)}; csrftoken={csrf}", "X-CSRFToken": csrf}
    assert httpx.patch(url, json={"locale": "fr"}, headers=headers, trust_env=False).status_code == 200


def test_a_person_who_was_deactivated_no_longer_signs_in(daphne: Server, manager) -> None:
    manager.put("/users/alice", json={})
    assert manager.patch("/users/alice", json={"active": False}).json()["active"] is False
    with client_of(daphne, token_for("alice")) as alice:
        assert refusal(alice.get("/users/me"))[:2] == (401, "unknown_user")
    assert manager.put("/users/alice", json={"active": True}).json()["active"] is True
