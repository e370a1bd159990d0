"""Who gets a socket: a browser's session from an allowed page, or a token. Everybody else gets a code."""

import json
import time
from datetime import UTC, datetime

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gateway.auth.bearer import AuthFailed, read_token
from notifications.models import InboxCursor
from tests.gateway.other_ends import Producer
from tests.gateway.servers import ALLOWED_ORIGIN, AUTH_WITHIN_S
from tests.kit.sign_in import SIGNING_KEY, cookie_of, token_for


def test_a_signed_in_browser_is_ready_at_once(open_page, producer: Producer, ann) -> None:
    producer.publish()
    producer.publish()
    page = open_page(ann)
    epoch = str(InboxCursor.objects.get(person=ann).epoch)
    assert page.ready == {"type": "ready", "seq": 2, "epoch": epoch, "recovered": False, "unread": 2}


def test_somebody_new_has_an_empty_sequence(open_page, bob) -> None:
    page = open_page(bob)
    assert (page.ready["seq"], page.ready["unread"]) == (0, 0)
    assert page.ready["epoch"] == str(InboxCursor.objects.get(person=bob).epoch)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.test",
        "null",
        "http://127.0.0.1.evil.test",
        "file://",
        "http://x@evil.test",
        "http://localhost:3000",
        "https://127.0.0.1",
    ],
)
def test_a_foreign_page_does_not_get_in(open_page, ann, origin: str | None) -> None:
    page = open_page(ann, origin=origin, ready=False)
    assert page.closed_with() == 4003


def test_a_service_without_an_origin_signs_in_with_a_token_and_never_by_cookie(open_page, ann) -> None:
    service = open_page(ann, origin=None, ready=False)
    service.send(type="ping")
    assert service.receive()["code"] == "auth_required"
    service = open_page(origin=None, ready=False)
    service.send(type="auth", token=token_for("ann"))
    assert service.receive()["type"] == "ready"
    service.barrier()


def test_a_page_that_may_use_tokens_signs_in_with_one_and_never_by_cookie(open_page, ann) -> None:
    page = open_page(ann, origin=ALLOWED_ORIGIN, ready=False)
    page.send(type="ping")
    assert page.receive()["code"] == "auth_required"
    page = open_page(origin=ALLOWED_ORIGIN, ready=False)
    page.send(type="auth", token=token_for("ann"))
    assert page.receive()["type"] == "ready"


@pytest.mark.parametrize("origin", ["", "127.0.0.1", "http://["])
def test_what_is_no_origin_is_refused_in_the_handshake(open_page, ann, origin: str) -> None:
    with pytest.raises(InvalidStatus):
        open_page(ann, origin=origin)


@pytest.mark.parametrize("path", ["/ws", "/ws/native"])
def test_who_says_nothing_is_closed_in_time(open_page, path: str, transactional_db) -> None:
    began = time.monotonic()
    page = open_page(path=path, ready=False)
    assert page.closed_with() == 4001
    assert AUTH_WITHIN_S * 0.8 <= time.monotonic() - began < AUTH_WITHIN_S + 8


def test_a_session_that_has_ended_is_nobody(open_page, ann) -> None:
    from django.contrib.sessions.models import Session

    cookie = cookie_of(ann)
    Session.objects.all().delete()
    page = open_page(ready=False, cookie=cookie)
    assert page.closed_with() == 4001


def test_a_person_who_was_deactivated_is_nobody(open_page, ann) -> None:
    cookie = cookie_of(ann)
    ann.is_active = False
    ann.save()
    page = open_page(ready=False, cookie=cookie)
    assert page.closed_with() == 4001


@pytest.mark.parametrize("path", ["/ws/native", "/ws"])
def test_a_token_gets_in(open_page, ann, path: str) -> None:
    page = open_page(path=path, ready=False)
    page.send(type="auth", token=token_for("ann"))
    assert page.receive()["type"] == "ready"
    page.barrier()


def test_the_deadline_ends_with_the_token(open_page, ann) -> None:
    page = open_page(path="/ws/native", origin=None, ready=False)
    page.send(type="auth", token=token_for("ann"))
    assert page.receive()["type"] == "ready"
    with pytest.raises(TimeoutError):
        page.receive(timeout_s=AUTH_WITHIN_S + 0.3)
    page.barrier()


def test_a_browsers_cookie_does_not_count_on_the_native_path(open_page, ann) -> None:
    page = open_page(ann, path="/ws/native", ready=False)
    assert page.closed_with() == 4001


def _signed_by_rsa() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    claims = {"sub": "ann", "aud": "tocsin", "exp": int(time.time()) + 300}
    return jwt.encode(claims, key, algorithm="RS256")


def _unsigned() -> str:
    return jwt.encode({"sub": "ann", "aud": "tocsin", "exp": int(time.time()) + 300}, None, algorithm="none")


REFUSED_TOKENS = {
    "another key": (lambda: token_for("ann", key=Ed25519PrivateKey.generate()), "invalid_token"),
    "another algorithm": (_signed_by_rsa, "invalid_token"),
    "no signature": (_unsigned, "invalid_token"),
    "expired": (lambda: token_for("ann", exp=int(time.time()) - 5), "token_expired"),
    "too long": (lambda: token_for("ann", exp=int(time.time()) + 1_000), "token_too_long"),
    "for ever": (lambda: token_for("ann", exp=10**20), "token_too_long"),
    "no end": (lambda: token_for("ann", exp=...), "invalid_token"),
    "an end that is text": (lambda: token_for("ann", exp="tomorrow"), "invalid_token"),
    "nobody": (lambda: token_for("carl"), "unknown_user"),
    "no sub": (lambda: token_for("ann", sub=...), "invalid_token"),
    "a number as sub": (lambda: token_for("ann", sub=1), "invalid_token"),
    "a NUL in sub": (lambda: token_for("a\0b"), "unknown_user"),
    "another aud": (lambda: token_for("ann", aud="other"), "invalid_token"),
    "no aud": (lambda: token_for("ann", aud=...), "invalid_token"),
    "not a token": (lambda: "abc", "invalid_token"),
    "nothing": (lambda: "", "invalid_token"),
}


@pytest.mark.parametrize(("make", "code"), REFUSED_TOKENS.values(), ids=REFUSED_TOKENS)
def test_a_token_that_does_not_get_in(open_page, ann, make, code: str) -> None:
    token = make()  # before the socket, which waits a second for it: an RSA key takes its time
    page = open_page(path="/ws/native", origin=None, ready=False)
    page.send(type="auth", token=token)
    error = page.receive()
    assert (error["type"], error["code"]) == ("error", code)
    assert error["detail"]
    assert page.closed_with() == 4001


FIRST_FRAMES = {
    "ack": (json.dumps({"type": "ack", "event_ids": ["e"]}), "auth_required"),
    "ping": (json.dumps({"type": "ping"}), "auth_required"),
    "auth without a token": (json.dumps({"type": "auth"}), "auth_required"),
    "a token that is no text": (json.dumps({"type": "auth", "token": 1}), "auth_required"),
    "not JSON": ("hello", "invalid_json"),
    "a list": ("[]", "missing_type"),
    "bytes": (b"\x00", "not_text"),
    "more than 4 KiB": (json.dumps({"type": "auth", "token": "x" * 4_096}), "too_large"),
}


@pytest.mark.parametrize(("frame", "code"), FIRST_FRAMES.values(), ids=FIRST_FRAMES)
def test_a_first_frame_that_is_no_auth_ends_the_socket(
    open_page, transactional_db, frame: str | bytes, code: str
) -> None:
    page = open_page(path="/ws/native", origin=None, ready=False)
    page.socket.send(frame)
    assert page.receive()["code"] == code
    assert page.closed_with() == 4001


def test_nothing_is_told_to_who_was_refused(open_page, producer: Producer, ann) -> None:
    page = open_page(path="/ws/native", origin=None, ready=False)
    page.send(type="auth", token="wrong")
    page.send(type="ack", event_ids=["e-1"])
    producer.publish()
    frames = []
    with pytest.raises(ConnectionClosed):
        while True:
            frames.append(page.receive())
    assert [frame["type"] for frame in frames] == ["error"]


@pytest.mark.parametrize("claim", ["iat", "nbf"])
@pytest.mark.parametrize(("ahead_s", "good"), [(2, True), (60, False)])
def test_an_issuers_clock_may_be_seconds_ahead(open_page, ann, claim, ahead_s, good) -> None:
    page = open_page(path="/ws/native", origin=None, ready=False)
    page.send(type="auth", token=token_for("ann", **{claim: int(time.time()) + ahead_s}))
    assert (page.receive()["type"] == "ready") is good


@pytest.fixture
def trusting(settings) -> None:
    """This process trusts the key of the tests, as the servers do."""
    public = SIGNING_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    settings.JWT_PUBLIC_KEYS = [public.decode()]


@pytest.mark.parametrize("hours", [-1, 1])
@pytest.mark.usefixtures("trusting")
def test_a_token_goes_by_the_databases_clock_and_not_by_this_hosts(ann, hours) -> None:
    at_s = int(time.time()) + hours * 3600
    token = token_for("ann", iat=at_s, nbf=at_s, exp=at_s + 300)
    assert read_token(token, now=lambda: datetime.fromtimestamp(at_s, UTC)).person.external_id == "ann"
    with pytest.raises(AuthFailed):
        read_token(token)


@pytest.mark.parametrize("claim", ["iat", "nbf", "exp"])
@pytest.mark.parametrize("value", ["soon", [1], {"a": 1}, float("inf")], ids=["text", "list", "map", "inf"])
@pytest.mark.usefixtures("trusting")
def test_a_claim_that_is_no_time_is_named(ann, claim, value) -> None:
    with pytest.raises(AuthFailed, match=claim):
        read_token(token_for("ann", **{claim: value}))


def test_the_leeway_does_not_prolong_a_token(open_page, ann) -> None:
    page = open_page(path="/ws/native", origin=None, ready=False)
    page.send(type="auth", token=token_for("ann", exp=int(time.time()) - 1))
    assert page.receive()["code"] == "token_expired"
