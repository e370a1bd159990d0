"""POST /tickets: who may have one, for whom, and what it is worth."""

import json
import threading

import httpx
import pytest
from cryptography.fernet import Fernet

from sandbox.system.start import free_port
from tests.gateway.other_ends import Page, Producer
from tests.gateway.servers import Server, running_server_of
from tests.kit.sign_in import cookie_of, token_for
from users import keys


def ask(server: Server, headers: dict | None = None, **options: object) -> httpx.Response:
    url = f"{server.url}/api/v1/tickets"
    return httpx.post(url, headers=headers or {}, trust_env=False, timeout=20, **options)  # type: ignore[arg-type]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def browser(person) -> dict[str, str]:
    """The headers of a page of ours: cookies, and the CSRF token in its header."""
    csrf = "a" * 32
    return {"Cookie": f"{cookie_of(person)}; csrftoken={csrf}", "X-CSRFToken": csrf}


@pytest.fixture
def key(venue) -> str:
    return keys.issue(venue, ["tickets"])


def sign_in(open_page, ticket: str):
    page = open_page(path="/ws/native", origin=None, ready=False)
    page.send(type="auth", ticket=ticket)
    return page


@pytest.mark.parametrize("by", ["key", "token", "session"])
def test_a_ticket_signs_in_once(open_page, daphne, ann, key: str, by: str) -> None:
    asked = {
        "key": lambda: ask(daphne, bearer(key), json={"user_id": "ann"}),
        "token": lambda: ask(daphne, bearer(token_for("ann"))),
        "session": lambda: ask(daphne, browser(ann)),
    }
    answer = asked[by]()
    assert (answer.status_code, answer.json()["expires_in"]) == (201, 30), answer.text
    first = sign_in(open_page, answer.json()["ticket"])
    assert first.receive()["type"] == "ready"
    first.barrier()
    second = sign_in(open_page, answer.json()["ticket"])
    assert second.receive()["code"] == "invalid_ticket"
    assert second.closed_with() == 4001


def test_of_many_who_use_a_ticket_at_once_one_gets_in(open_page, daphne, ann) -> None:
    ticket = ask(daphne, bearer(token_for("ann"))).json()["ticket"]
    pages = [open_page(path="/ws/native", origin=None, ready=False) for _ in range(8)]
    threads = [
        threading.Thread(target=page.send, kwargs={"type": "auth", "ticket": ticket}) for page in pages
    ]
    for thread in threads:
        thread.start()
    kinds = [page.receive()["type"] for page in pages]
    for thread in threads:
        thread.join()
    assert sorted(kinds) == ["error"] * 7 + ["ready"]


def test_a_ticket_is_kept_hashed_encrypted_and_not_for_long(daphne, ann, valkey) -> None:
    valkey.flushdb()
    headers = browser(ann)
    ticket = ask(daphne, headers).json()["ticket"]
    [name] = valkey.keys("tocsin:ticket:*")
    kept = name + valkey.get(name)
    assert ticket.encode() not in kept and ticket[4:].encode() not in kept
    assert headers["Cookie"].split("=")[1].split(";")[0].encode() not in kept
    assert 0 < valkey.ttl(name) <= 30


def test_a_ticket_that_no_key_decrypts_signs_nobody_in(open_page, daphne, ann, valkey) -> None:
    valkey.flushdb()
    ticket = ask(daphne, bearer(token_for("ann"))).json()["ticket"]
    [name] = valkey.keys("tocsin:ticket:*")
    valkey.set(name, Fernet(Fernet.generate_key()).encrypt(b"{}"), keepttl=True)
    page = sign_in(open_page, ticket)
    assert page.receive()["code"] == "invalid_ticket"


@pytest.mark.parametrize("ticket", ["", "tkt_", "tkt_" + "x" * 43, "tkt_" + "x" * 2_000, "tkt_ü", "abc"])
def test_what_is_no_ticket_signs_nobody_in(open_page, transactional_db, ticket: str) -> None:
    page = sign_in(open_page, ticket)
    assert page.receive()["code"] == "invalid_ticket"
    assert page.closed_with() == 4001


def test_a_token_and_a_ticket_are_one_too_many(open_page, ann) -> None:
    page = open_page(path="/ws/native", origin=None, ready=False)
    page.send(type="auth", token=token_for("ann"), ticket="tkt_x")
    assert page.receive()["code"] == "auth_required"
    assert page.closed_with() == 4001


def test_a_ticket_of_before_a_sign_out_signs_nobody_in(open_page, daphne, ann, key: str) -> None:
    ticket = ask(daphne, bearer(key), json={"user_id": "ann"}).json()["ticket"]
    admin = keys.issue(keys.ApiKey.objects.get().source, ["admin"])
    with Producer(daphne, admin) as client:
        assert client.post("/users/ann/revoke").status_code == 200
    assert sign_in(open_page, ticket).receive()["code"] == "invalid_ticket"


def test_a_ticket_of_a_session_ends_with_that_session(open_page, daphne, ann) -> None:
    from django.contrib.sessions.models import Session

    ticket = ask(daphne, browser(ann)).json()["ticket"]
    page = sign_in(open_page, ticket)
    assert page.receive()["type"] == "ready"
    Session.objects.all().delete()
    assert page.closed_with() == 4001


REFUSED = {
    "nobody": ({}, None, 401, "not_signed_in"),
    "a wrong key": (bearer("tsn_" + "a" * 10 + "_" + "b" * 43), None, 401, "invalid_key"),
    "a wrong token": (bearer("a.b.c"), None, 401, "invalid_token"),
}


@pytest.mark.parametrize(("headers", "body", "status", "code"), REFUSED.values(), ids=REFUSED)
def test_who_is_nobody_gets_none(daphne, ann, headers, body, status: int, code: str) -> None:
    answer = ask(daphne, headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_key_without_the_scope_gets_none(daphne, venue, ann) -> None:
    key = keys.issue(venue, ["publish", "read", "replay", "admin"])
    answer = ask(daphne, bearer(key), json={"user_id": "ann"})
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


def test_a_foreign_page_cannot_have_one_made(daphne, ann) -> None:
    answer = ask(daphne, {"Cookie": cookie_of(ann)})
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")


def test_nobody_gets_one_for_another_person(daphne, ann, bob) -> None:
    for headers in (bearer(token_for("ann")), browser(ann)):
        answer = ask(daphne, headers, json={"user_id": "bob"})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


BODIES = {
    "no person": ({}, 422, "missing_field"),
    "a number": ({"user_id": 1}, 422, "not_a_string"),
    "a NUL": ({"user_id": "a\0b"}, 422, "invalid_text"),
    "too long": ({"user_id": "x" * 129}, 422, "too_long"),
    "something else": ({"user": "ann"}, 422, "unknown_field"),
    "a list": ([], 422, "not_an_object"),
    "a stranger": ({"user_id": "carl"}, 404, "not_found"),
    "somebody deactivated": ({"user_id": "gone"}, 404, "not_found"),
}


@pytest.mark.parametrize(("body", "status", "code"), BODIES.values(), ids=BODIES)
def test_a_body_that_is_refused(daphne, ann, key: str, body, status: int, code: str) -> None:
    ann.__class__.objects.create_user("gone", external_id="gone", is_active=False)
    answer = ask(daphne, bearer(key), json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


@pytest.fixture
def without_redis(tmp_path, daphne, ann):
    away = f"redis://127.0.0.1:{free_port(0)}/0"
    with running_server_of(tmp_path / "daphne.log", REDIS_URL=away) as server:
        yield server


def test_without_redis_there_are_no_tickets_and_tokens_still_sign_in(without_redis: Server, ann) -> None:
    answer = ask(without_redis, bearer(token_for("ann")))
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0

    page = Page(f"{without_redis.ws_url}/ws/native", ready=False)
    page.send(type="auth", ticket="tkt_" + "x" * 43)
    assert page.receive()["code"] == "unavailable"
    assert page.closed_with() == 4013
    page.close()

    pages = []
    for _ in range(11):
        pages.append(Page(f"{without_redis.ws_url}/ws/native", ready=False))
        pages[-1].send(type="auth", token=token_for("ann"))
    answers = [page.receive() for page in pages]
    assert [frame["type"] for frame in answers] == ["ready"] * 10 + ["error"]
    assert json.dumps(answers[-1]).count("too_many_sockets") == 1
    for page in pages:
        page.close()
