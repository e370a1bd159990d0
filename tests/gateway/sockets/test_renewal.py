"""How long a socket may stay: until its credential ends, is renewed, or is revoked."""

import time

import pytest
from django.test import Client

from tests.gateway.other_ends import Producer
from tests.kit.eventually import eventually
from tests.kit.sign_in import cookie_of, token_for
from users import keys
from users.models import User


def native(open_page, token: str, **more: object):
    page = open_page(path="/ws/native", origin=None, ready=False)
    page.send(type="auth", token=token, **more)
    assert page.receive()["type"] == "ready"
    return page


def test_a_socket_ends_with_its_token(open_page, ann) -> None:
    expires_s = int(time.time()) + 2
    page = native(open_page, token_for("ann", exp=expires_s))
    assert page.closed_with() == 4001
    assert time.time() >= expires_s - 0.05


def test_a_new_token_of_the_same_person_keeps_it_open(open_page, ann) -> None:
    first_ends_s, second_ends_s = int(time.time()) + 3, int(time.time()) + 300
    page = native(open_page, token_for("ann", exp=first_ends_s))
    page.send(type="auth", token=token_for("ann", exp=second_ends_s))
    assert page.receive() == {"type": "auth.renewed", "expires_at": second_ends_s * 1000}
    eventually(lambda: time.time() > first_ends_s + 0.5)
    page.barrier()


def test_a_renewal_may_also_shorten(open_page, ann) -> None:
    page = native(open_page, token_for("ann"))
    page.send(type="auth", token=token_for("ann", exp=int(time.time()) + 2))
    assert page.receive()["type"] == "auth.renewed"
    assert page.closed_with() == 4001


@pytest.mark.parametrize(
    "make",
    [lambda: token_for("ann", exp=int(time.time()) - 5), lambda: "x", lambda: token_for("nobody")],
    ids=["expired", "no token", "a stranger"],
)
def test_a_renewal_that_is_refused_leaves_the_socket_as_it_was(open_page, ann, make) -> None:
    page = native(open_page, token_for("ann"))
    page.send(type="auth", token=make())
    assert page.receive()["type"] == "error"
    page.barrier()


def test_another_persons_token_ends_the_socket(open_page, ann, bob) -> None:
    page = native(open_page, token_for("ann"))
    page.send(type="auth", token=token_for("bob"))
    page.send(type="ping")
    assert page.receive()["code"] == "other_person"
    assert page.closed_with() == 4001


def test_a_page_with_a_session_may_be_renewed_by_a_token(open_page, ann) -> None:
    page = open_page(ann)
    page.send(type="auth", token=token_for("ann", exp=int(time.time()) + 2))
    assert page.receive()["type"] == "auth.renewed"
    assert page.closed_with() == 4001


def test_a_page_ends_with_its_session(open_page, ann) -> None:
    from django.contrib.sessions.models import Session
    from django.utils import timezone

    cookie = cookie_of(ann)
    Session.objects.update(expire_date=timezone.now() + timezone.timedelta(seconds=2))
    page = open_page(cookie=cookie)
    assert page.closed_with() == 4001


def _deactivate(ann: User, _: Client) -> None:
    ann.is_active = False
    ann.save()


def _erase(ann: User, _: Client) -> None:
    ann.delete()


def _change_password(ann: User, _: Client) -> None:
    ann.set_password("another-long-word-7")
    ann.save()


def _sign_out(_: User, client: Client) -> None:
    client.post("/logout/")


ENDS = {"deactivated": _deactivate, "erased": _erase, "password changed": _change_password, "out": _sign_out}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_page_is_closed_at_once_when_its_person_is(open_page, ann, bob, end) -> None:
    client = Client()
    client.force_login(ann)
    page = open_page(cookie=f"sessionid={client.cookies['sessionid'].value}")
    other = open_page(bob)
    end(ann, client)
    assert page.closed_with() == 4001
    other.barrier()


def test_signing_out_of_one_browser_leaves_the_other_and_the_tokens(open_page, ann) -> None:
    client = Client()
    client.force_login(ann)
    page = open_page(cookie=f"sessionid={client.cookies['sessionid'].value}")
    others = [open_page(ann), native(open_page, token_for("ann"))]
    client.post("/logout/")
    assert page.closed_with() == 4001
    for other in others:
        other.barrier()


def test_revoking_ends_everything_from_before_and_nothing_from_after(open_page, daphne, venue, ann) -> None:
    cookie, token = cookie_of(ann), token_for("ann", iat=int(time.time()) - 1)
    pages = [open_page(cookie=cookie), native(open_page, token), native(open_page, token_for("ann"))]
    with Producer(daphne, keys.issue(venue, ["admin"])) as operator:
        answer = operator.post("/users/ann/revoke")
        assert answer.status_code == 200, answer.text
        assert [page.closed_with() for page in pages] == [4001] * 3
        refused = open_page(path="/ws/native", origin=None, ready=False)
        refused.send(type="auth", token=token)
        assert refused.receive()["code"] == "token_revoked"
        signed_out = operator.get("/users/me/inbox", headers={"Cookie": cookie, "Authorization": ""})
        assert signed_out.status_code == 401
    native(open_page, token_for("ann", iat=answer.json()["revoked_at"] // 1000)).barrier()
    open_page(User.objects.get(pk=ann.pk)).barrier()


def test_revoking_needs_the_scope_and_a_person(daphne, venue, ann, bob) -> None:
    with Producer(daphne, keys.issue(venue, ["publish", "read", "replay", "tickets"])) as client:
        assert client.post("/users/ann/revoke").json()["code"] == "missing_scope"
    with Producer(daphne, keys.issue(venue, ["admin"])) as client:
        assert client.post("/users/carl/revoke").status_code == 404
    with Producer(daphne, token_for("ann")) as client:
        assert client.post("/users/bob/revoke").status_code == 404
        assert client.post("/users/me/revoke").status_code == 200
    assert User.objects.get(pk=bob.pk).sessions_valid_from is None
    assert User.objects.get(pk=ann.pk).sessions_valid_from is not None


def test_people_read_their_inbox_with_a_token(producer: Producer, ann, bob) -> None:
    event_id = producer.publish().json()["event_id"]
    headers = {"Authorization": f"Bearer {token_for('ann')}"}
    inbox = producer.get("/users/me/inbox", headers=headers).json()
    assert [item["event_id"] for item in inbox["items"]] == [event_id]
    assert producer.get("/users/bob/inbox", headers=headers).status_code == 404
    headers = {"Authorization": f"Bearer {token_for('ann', exp=int(time.time()) - 5)}"}
    answer = producer.get("/users/me/inbox", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_expired")
