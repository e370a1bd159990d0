"""Requests that do not end: what a client may make a server keep, on every path and without a key."""

import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from gateway.codec import limits
from sandbox.system.start import HOST
from tests.gateway.good_events import event_json
from tests.gateway.other_ends import Producer
from tests.gateway.servers import Server, running_server_of
from tests.kit.eventually import eventually
from tests.kit.raw_websocket import handshake

PATHS = ["/api/v1/events", "/api/v1/events/batch", "/api/v1/tickets", "/api/v1/nowhere", "/login/",
         "/admin/login/", "/demo/send", "/static/none.js", "/ws", "/"]  # fmt: skip
KEY = "Authorization: Bearer tsn_0123456789_" + "x" * 43


@pytest.fixture(scope="module")
def server(django_db_setup, tmp_path_factory, django_db_blocker) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("bodies") / "log"
    patience = {"TOCSIN_HEAD_WITHIN_S": "3", "TOCSIN_BODY_WITHIN_S": "3"}
    with running_server_of(log, TOCSIN_ARRIVING_CONNECTIONS="40", **patience) as running:
        yield running


@contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection((HOST, server.port), timeout=20) as client:
        yield client


def head(path: str, *headers: str, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def answered(client: socket.socket) -> tuple[int, bytes]:
    """Return the status and all that follows until the server closes; 0: it closed without an answer."""
    data = b""
    try:
        while part := client.recv(65_536):
            data += part
    except ConnectionError:
        pass
    return (int(data.split(b" ", 2)[1]) if data else 0), data


def send_endlessly(client: socket.socket, piece: bytes, most: int = 64 * 1024 * 1024) -> None:
    try:
        for _ in range(most // len(piece)):
            client.sendall(piece)
    except OSError:
        return


CHUNK = b"10000\r\n" + b"x" * 65_536 + b"\r\n"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("size", [limits.BATCH_BYTES + 1, 10**12])
def test_a_declared_length_is_refused_before_a_byte_is_read(server: Server, path: str, size: int) -> None:
    with connected(server) as client:
        client.sendall(head(path, f"Content-Length: {size}", "Expect: 100-continue"))
        status, text = answered(client)
    assert status == (401 if path.startswith("/api/v1/events") else 413)
    assert b"100 Continue" not in text
    assert b"application/problem+json" in text


@pytest.mark.parametrize("path", ["/api/v1/events", "/api/v1/events/batch"])
@pytest.mark.parametrize("length", ["Content-Length: 20", "Transfer-Encoding: chunked"])
def test_without_a_key_the_answer_does_not_wait_for_the_body(server: Server, path: str, length: str) -> None:
    with connected(server) as client:
        client.sendall(head(path, length))
        status, text = answered(client)
    assert (status, b"missing_key" in text) == (401, True)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("headers", [[], [KEY]], ids=["no key", "wrong key"])
def test_a_chunked_body_is_cut_at_the_limit(server: Server, path: str, headers: list[str]) -> None:
    with connected(server) as client:
        client.sendall(head(path, "Transfer-Encoding: chunked", *headers))
        send_endlessly(client, CHUNK, most=6 * 1024 * 1024)
        status, _ = answered(client)
    assert status == (401 if path.startswith("/api/v1/events") else 413)


@pytest.mark.parametrize("path", ["/login/", "/api/v1/events/batch"])
def test_an_endless_body_fills_neither_memory_nor_disk(server: Server, path: str) -> None:
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    with connected(server) as client:
        client.sendall(head(path, "Transfer-Encoding: chunked", KEY))
        send_endlessly(client, CHUNK)
        assert process.memory_info().rss - before < 16 * 1024 * 1024
        assert not files_in_tmp(server)


def test_the_answer_is_not_lost_with_the_rest_of_the_body(server: Server) -> None:
    with connected(server) as client:
        client.sendall(head("/login/", f"Content-Length: {4_000_000}"))
        client.sendall(b"x" * 4_000_000)
        assert answered(client)[0] == 413


def test_an_upgrade_has_no_body(server: Server) -> None:
    with connected(server) as client:
        client.sendall(handshake(server.port, "/ws", {"Content-Length": "100"}))
        assert answered(client)[0] == 413


def test_endless_frames_before_the_handshake_is_answered_end_the_connection(server: Server) -> None:
    memory = psutil.Process(server.process.pid).memory_info
    before = memory().rss
    with connected(server) as client:
        client.sendall(handshake(server.port, "/ws/native") + b"\x82\xff" + (10**9).to_bytes(8) + bytes(4))
        send_endlessly(client, bytes(65_536))
        assert memory().rss - before < 8 * 1024 * 1024


def drip(client: socket.socket, data: bytes, every_s: float, within_s: float) -> float:
    """Send byte by byte; return after how many seconds the server ended it."""
    started = time.monotonic()
    client.settimeout(every_s)
    for byte in data:
        try:
            client.sendall(bytes([byte]))
            if not client.recv(65_536):
                break
        except TimeoutError:
            pass
        except OSError:
            break
        if time.monotonic() - started > within_s:
            break
    return time.monotonic() - started


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        (b"", head("/")),
        (b"GET / HTTP/1.1\r\n", b"X-A: " + b"b" * 1_000),
        (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"GET /" + b"a" * 1_000),
        (head("/login/", "Content-Length: 200000"), b"x" * 1_000),
        (head("/api/v1/events", KEY, "Content-Length: 200000"), b"x" * 1_000),
        (head("/api/v1/events", KEY, "Transfer-Encoding: chunked"), b"1\r\nx\r\n" * 200),
    ],
    ids=["a request", "a header", "the second request", "a form", "an event", "chunks"],
)
def test_what_trickles_is_cut_off(server: Server, first: bytes, rest: bytes) -> None:
    with connected(server) as client:
        client.sendall(first)
        assert drip(client, rest, 0.2, within_s=15) < 9


def test_a_slow_body_is_answered_with_408(server: Server) -> None:
    with connected(server) as client:
        client.sendall(head("/login/", "Content-Length: 5"))
        status, text = answered(client)
    assert (status, b"request_timeout" in text) == (408, True)


def test_a_silent_connection_is_cut_off(server: Server) -> None:
    with connected(server) as client:
        assert answered(client)[0] == 0


def test_among_many_silent_connections_a_request_is_answered_at_once(server: Server) -> None:
    with connected(server) as kept:
        kept.sendall(head("/healthz", method="GET"))
        assert answered_head(kept) == 200
        silent = [socket.create_connection((HOST, server.port)) for _ in range(80)]
        started = time.monotonic()
        kept.sendall(head("/healthz", method="GET"))
        assert answered_head(kept) == 200
        with connected(server) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            assert answered(client)[0] == 200
        assert time.monotonic() - started < 1
        eventually(lambda: len(psutil.Process(server.process.pid).net_connections()) < 60, within_s=2)
        for one in silent:
            one.close()


def test_bodies_that_arrive_are_bounded_in_all_and_the_newest_is_served(server: Server, venue, ann) -> None:
    from users import keys

    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    part = b"x" * (limits.OTHER_BYTES - 1)
    clients = [socket.create_connection((HOST, server.port), timeout=20) for _ in range(39)]
    for client in clients:
        client.sendall(head("/login/", f"Content-Length: {limits.OTHER_BYTES}") + part)
    with Producer(server, keys.issue(venue, ["publish", "read"])) as producer:
        assert producer.post("/events", json=event_json()).status_code in {200, 202}
    assert process.memory_info().rss - before < 16 * 1024 * 1024
    assert answered(clients[0])[0] == 503
    for client in clients:
        client.close()


def files_in_tmp(server: Server) -> list[str]:
    found = [os.readlink(fd) for fd in Path(f"/proc/{server.process.pid}/fd").iterdir()]
    return [path for path in found if path.startswith(f"{tempfile.gettempdir()}/") and "deleted" in path]


def test_no_body_goes_to_a_file(server: Server) -> None:
    with connected(server) as client:
        client.sendall(head("/login/", "Content-Length: 200001") + b"x" * 200_000)
        assert not files_in_tmp(server)
        client.sendall(b"x")
        assert answered_head(client) in {403, 400}  # all of it is here: there is no CSRF token


def answered_head(client: socket.socket) -> int:
    return int(client.recv(65_536).split(b" ", 2)[1])


def test_a_connection_is_kept_for_further_requests(server: Server) -> None:
    with connected(server) as client:
        for _ in range(3):
            client.sendall(head("/healthz", method="GET"))
            assert answered_head(client) == 200
