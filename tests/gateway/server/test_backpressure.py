"""Clients that do not read, and a server that does not read faster than it handles."""

import json
import socket

import pytest
from django.db import connection, transaction

from tests.gateway.other_ends import Producer
from tests.gateway.servers import Server, running_server_of
from tests.kit.raw_websocket import RawSocket, client_frame
from tests.kit.sign_in import token_for

EVENTS, EVENT_BYTES = 60, 8_000
SHORT_OF_PATIENCE = {
    "TOCSIN_SLOW_CLOSE_S": "1",
    "TOCSIN_PONG_WITHIN_S": "1000",
    "TOCSIN_WINDOW_FRAMES": "10000",  # not the subject here
    "TOCSIN_WINDOW_BYTES": "100000000",
}
PINGS = {"TOCSIN_PING_EVERY_S": "0.5", "TOCSIN_PONG_WITHIN_S": "1.5"}


@pytest.fixture(scope="module")
def impatient(django_db_setup: None, tmp_path_factory, django_db_blocker):
    with running_server_of(tmp_path_factory.mktemp("impatient") / "log", **SHORT_OF_PATIENCE) as server:
        yield server


@pytest.fixture(scope="module")
def pinging(django_db_setup: None, tmp_path_factory, django_db_blocker):
    with running_server_of(tmp_path_factory.mktemp("pinging") / "log", **PINGS) as server:
        yield server


def opened(server: Server, *, receives: int = 0, **auth: object) -> RawSocket:
    page = RawSocket(server.port, receive_buffer=receives)
    page.send({"type": "auth", "token": token_for("ann"), **auth})
    page.ready = page.receive()
    assert page.ready["type"] == "ready"
    return page


def publish(server: Server, venue) -> list[str]:
    from users import keys

    with Producer(server, keys.issue(venue, ["publish", "read"])) as producer:
        return [
            producer.publish(payload={"text": "x" * EVENT_BYTES}, ack_timeout_ms=300_000).json()["event_id"]
            for _ in range(EVENTS)
        ]


def received_until_cut(page: RawSocket) -> int:
    """Read what had come before the connection was cut; return its bytes."""
    count = 0
    try:
        while data := page.tcp.recv(65_536):
            count += len(data)
    except ConnectionResetError:
        pass
    return count


def test_who_does_not_read_is_closed_and_their_events_wait_in_postgres(impatient, venue, ann) -> None:
    with opened(impatient, receives=4_096) as page:
        published = publish(impatient, venue)
        assert page.cut_within(20)
        assert received_until_cut(page) < EVENTS * EVENT_BYTES / 2
    resume = {"seq": page.ready["seq"], "epoch": page.ready["epoch"]}
    with opened(impatient, resume=resume) as again:
        assert again.ready["recovered"]
        assert [again.receive()["event_id"] for _ in range(EVENTS)] == published


def test_who_reads_late_gets_everything_in_order(daphne, venue, ann) -> None:
    """The buffer was full and is empty again: what waited meanwhile follows."""
    with opened(daphne, receives=4_096) as page:
        published = publish(daphne, venue)
        received = []
        for _ in published:
            received.append(page.receive()["event_id"])
            page.send({"type": "ack", "event_ids": received[-1:]})
        assert received == published
        page.send({"type": "ping"})
        assert page.receive() == {"type": "pong"}  # the confirmations are stored


def test_who_writes_and_never_reads_is_closed(pinging, ann) -> None:
    with opened(pinging) as page:
        page.tcp.settimeout(0.05)
        closed = False
        for _ in range(200):
            try:
                page.tcp.sendall(
                    client_frame(json.dumps({"type": "ping"}).encode()) + client_frame(b"guessed!", 10)
                )
            except OSError:
                closed = True
                break
            closed = page.cut_within(0.2)
            if closed:
                break
        assert closed
        page.tcp.settimeout(5)
        assert page.close_code() == 4008


def test_who_answers_pings_and_says_nothing_else_stays(pinging, ann) -> None:
    with opened(pinging) as page:
        answered = 0
        while answered < 4:
            opcode, payload = page.frame()
            assert opcode == 9
            page.tcp.sendall(client_frame(payload, 10))
            answered += 1
        page.send({"type": "ping"})
        assert page.receive() == {"type": "pong"}


def test_a_socket_is_read_no_faster_than_it_is_handled(daphne, ann) -> None:
    frame = client_frame(
        json.dumps({"type": "seen", "event_ids": [f"e-{n:050}" for n in range(500)]}).encode()
    )
    with opened(daphne) as page:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE notifications_event IN ACCESS EXCLUSIVE MODE")
            page.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
            page.tcp.settimeout(1)
            sent, rest = 0, b""
            try:
                for number in range(1_000):
                    sent = number
                    rest = frame
                    while rest:
                        rest = rest[page.tcp.send(rest) :]
            except TimeoutError:
                pass
            assert sent < 900  # of 27 MiB; it waits in the client
        page.tcp.settimeout(20)
        page.tcp.sendall(rest)
        page.send({"type": "ping"})
        assert page.receive() == {"type": "pong"}
