"""Clients that write too much or too large."""

import json
import time

import pytest

from tests.gateway.servers import Server, running_server_of
from tests.kit.raw_websocket import RawSocket, client_frame
from tests.kit.sign_in import cookie_of, token_for

PAUSE_S = 3.0
PING = client_frame(json.dumps({"type": "ping"}).encode())
FLOODS = {
    "messages": PING * 60,
    "control frames": client_frame(b"x", 9) * 60,
    "answers that nobody asked for": client_frame(b"x", 10) * 60,
    "parts of a message": client_frame(b"{", 1, final=False) + client_frame(b"", 0, final=False) * 60,
    "messages that are not understood": client_frame(b"\x00", 2) * 60,
}


@pytest.fixture(scope="module")
def strict(django_db_setup: None, tmp_path_factory, django_db_blocker):
    """A server with the limits that everybody has."""
    log = tmp_path_factory.mktemp("strict") / "log"
    limits = {
        "TOCSIN_SOCKET_FRAMES_PER_S": "20",
        "TOCSIN_SOCKET_FRAMES_BURST": "40",
        "TOCSIN_FLOOD_PAUSE_S": str(PAUSE_S),
    }
    with running_server_of(log, **limits) as server:
        yield server


def opened(server: Server) -> RawSocket:
    page = RawSocket(server.port)
    page.send({"type": "auth", "token": token_for("ann")})
    assert page.receive()["type"] == "ready"
    return page


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_who_floods_is_told_and_closed(strict: Server, ann, flood: bytes) -> None:
    with opened(strict) as page:
        page.tcp.sendall(flood)
        while (frame := page.receive()).get("code") != "flooding":
            assert frame.get("code") in (None, "not_text")
        assert page.close_code() == 4029
        assert page.cut_within(10)  # though we never answer the close frame


def test_what_a_flood_has_queued_is_not_worked_through(strict: Server, ann) -> None:
    with opened(strict) as page:
        page.tcp.sendall(PING * 5_000)
        answered = 0
        while (frame := page.receive())["type"] == "pong":
            answered += 1
        assert frame["code"] == "flooding"
        assert answered <= 40
        assert page.close_code() == 4029


def test_a_flood_before_sign_in_is_closed_too(strict: Server, ann) -> None:
    with RawSocket(strict.port) as page:
        page.tcp.sendall(client_frame(b"x", 9) * 60)
        assert page.close_code() == 4029


def test_others_go_on_while_one_floods(strict: Server, ann, bob) -> None:
    headers = {"Origin": strict.url, "Cookie": cookie_of(bob)}
    with opened(strict) as flooding, RawSocket(strict.port, path="/ws", headers=headers) as other:
        assert other.receive()["type"] == "ready"
        flooding.tcp.sendall(PING * 5_000)
        other.send({"type": "ping"})
        assert other.receive() == {"type": "pong"}
        assert flooding.close_code() == 4029
        other.send({"type": "ping"})
        assert other.receive() == {"type": "pong"}


def auth_of(person: str) -> bytes:
    return client_frame(json.dumps({"type": "auth", "token": token_for(person)}).encode())


def greeting(server: Server, person: str) -> RawSocket:
    """Return a socket that has sent its token and heard nothing yet."""
    page = RawSocket(server.port)
    page.tcp.sendall(auth_of(person))
    return page


def test_who_flooded_waits_and_others_do_not(strict: Server, ann, bob) -> None:
    with opened(strict) as page:
        page.tcp.sendall(PING * 60)
        assert page.close_code() == 4029
        closed_at = time.monotonic()
    with greeting(strict, "ann") as hers, greeting(strict, "bob") as his:
        assert his.receive()["type"] == "ready"
        his_s = time.monotonic() - closed_at
        assert hers.receive()["type"] == "ready"
        assert his_s < PAUSE_S * 0.4 < time.monotonic() - closed_at < PAUSE_S + 2


def test_a_flood_in_one_breath_with_the_token_signs_nobody_in(strict: Server, bob) -> None:
    """So it brings no pause either: it has cost a handshake."""
    with RawSocket(strict.port) as page:
        page.tcp.sendall(auth_of("bob") + PING * 60)
        assert page.close_code() == 4029
    began = time.monotonic()
    with greeting(strict, "bob") as page:
        assert page.receive()["type"] == "ready"
        assert time.monotonic() - began < PAUSE_S * 0.4


@pytest.mark.parametrize(
    "frames",
    [
        client_frame(b"[" * (64 * 1024 + 1)),
        client_frame(b"[" * 40_000, final=False) + client_frame(b"[" * 40_000, 0),
    ],
    ids=["in one frame", "in two"],
)  # fmt: skip
def test_a_message_above_64_kib_is_closed_with_1009(strict: Server, ann, frames: bytes) -> None:
    with opened(strict) as page:
        page.tcp.sendall(frames)
        assert page.close_code() == 1009


def test_a_message_of_64_kib_is_taken(strict: Server, ann) -> None:
    with opened(strict) as page:
        page.tcp.sendall(client_frame(b"[" * 64 * 1024))
        assert page.receive()["code"] == "invalid_json"
