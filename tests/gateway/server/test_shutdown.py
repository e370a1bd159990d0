"""The gentle end of a server: what its clients are told, and what is still done."""

import asyncio
import signal
import socket
import threading

import httpx
import pytest

from gateway.server import shutdown
from notifications.models import Event
from tests.gateway.other_ends import Page, Producer
from tests.gateway.servers import Server, running_server_of
from tests.kit.eventually import eventually
from tests.kit.raw_websocket import RawSocket
from tests.kit.sign_in import token_for


@pytest.fixture
def ending(transactional_db, tmp_path):
    """A server of its own, to be stopped."""
    with running_server_of(tmp_path / "log") as server:
        yield server


def page_of(server: Server, person: str) -> Page:
    page = Page(f"{server.ws_url}/ws/native", ready=False)
    page.send(type="auth", token=token_for(person))
    assert page.receive()["type"] == "ready"
    return page


def stop(server: Server) -> None:
    server.process.send_signal(signal.SIGTERM)


def test_every_socket_is_told_when_to_come_back_and_closed_with_1012(ending: Server, ann, bob) -> None:
    pages = [page_of(ending, person) for person in ("ann", "bob", "ann", "bob", "ann")]
    stop(ending)
    waits = []
    for page in pages:
        told = page.receive()
        assert told["type"] == "shutdown"
        waits.append(told["reconnect_after_ms"])
        assert page.closed_with() == 1012
    assert all(0 <= wait <= 5_000 for wait in waits)
    assert len(set(waits)) > 1  # not all at once
    assert ending.process.wait(20) == 0


def test_what_was_sent_before_the_end_is_handled(ending: Server, venue, ann) -> None:
    from users import keys

    page = page_of(ending, "ann")
    with Producer(ending, keys.issue(venue, ["publish", "read"])) as producer:
        for _ in range(20):
            producer.publish(delivery={"priority": "CRITICAL"}, ack_timeout_ms=60_000)
    ids = [page.receive()["event_id"] for _ in range(20)]
    for event_id in ids:
        page.send(type="ack", event_ids=[event_id])
    stop(ending)
    assert page.closed_with() == 1012
    assert ending.process.wait(20) == 0
    assert Event.objects.filter(evidence="client").count() == 20


def test_a_request_in_flight_gets_its_answer(ending: Server, venue, ann) -> None:
    from users import keys

    page = page_of(ending, "ann")
    answers: list[httpx.Response] = []
    with Producer(ending, keys.issue(venue, ["publish", "read"])) as producer:
        waiting = threading.Thread(
            target=lambda: answers.append(producer.publish(wait=2, delivery={"priority": "CRITICAL"}))
        )
        waiting.start()
        assert page.receive()["type"] == "event"  # it is accepted, and the producer waits for its end
        stop(ending)
        waiting.join(20)
    assert answers[0].is_success


def test_nobody_gets_in_any_more(ending: Server, ann) -> None:
    kept = socket.create_connection(("127.0.0.1", ending.port), timeout=20)
    page = RawSocket(ending.port)  # it never answers the close frame, so the end takes a little
    page.send({"type": "auth", "token": token_for("ann")})
    assert page.receive()["type"] == "ready"
    with kept, page:
        stop(ending)
        assert page.receive()["type"] == "shutdown"
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{ending.url}/healthz", trust_env=False)
        kept.sendall(
            b"GET /ws/native HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert kept.recv(100).startswith(b"HTTP/1.1 503")
    assert ending.process.wait(20) == 0


def test_a_client_that_does_not_read_cannot_hold_the_end_up(ending: Server, ann) -> None:
    with RawSocket(ending.port, receive_buffer=2_048) as page:
        page.send({"type": "auth", "token": token_for("ann")})
        assert page.receive()["type"] == "ready"
        for _ in range(30):
            page.send({"type": "ping"})
        stop(ending)
        assert ending.process.wait(20) == 0


def test_a_socket_that_has_lived_long_is_asked_to_come_again(transactional_db, tmp_path, ann) -> None:
    with running_server_of(tmp_path / "log", TOCSIN_SOCKET_LIFE_S="1") as server:
        page = page_of(server, "ann")
        assert page.receive()["type"] == "shutdown"
        assert page.closed_with() == 1012


async def test_a_hook_that_fails_or_hangs_does_not_keep_the_others_from_their_end(caplog) -> None:
    done = []

    async def fails() -> None:
        raise RuntimeError("no database")

    async def hangs() -> None:
        await asyncio.Event().wait()

    async def works() -> None:
        done.append(True)

    known = shutdown._hooks[:]
    shutdown._hooks.clear()
    for hook in (fails, hangs, works):
        shutdown.at_shutdown(hook)
    await shutdown.run_hooks(within_s=0.1)
    shutdown._hooks[:] = known
    assert done == [True]
    assert [record.message for record in caplog.records].count("shutdown_hook_failed") == 2


def test_the_log_of_an_end_has_no_traceback(ending: Server, ann, tmp_path) -> None:
    page = page_of(ending, "ann")
    RawSocket(ending.port).tcp.close()
    stop(ending)
    assert page.closed_with() == 1012
    ending.process.wait(20)
    assert "Traceback" not in (tmp_path / "log").read_text()
    eventually(lambda: ending.process.poll() is not None)
