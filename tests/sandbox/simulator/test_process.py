"""Start and stop of the process."""

import signal
import socket

import pytest


def test_start_line_and_health(sandbox):
    assert sandbox.started == {
        "event": "sandbox_started",
        "http_port": sandbox.http_port,
        "smtp_port": sandbox.smtp_port,
    }
    assert sandbox.http.get("/healthz").status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_soon_with_everything_hanging(start_sandbox, number):
    simulator = start_sandbox()
    simulator.misbehave("sink", hang=True)
    simulator.misbehave("telegram", latency_ms=60_000)
    simulator.misbehave("smtp", hang=True)
    clients = [
        _request(simulator, path) for path in ("/sink/x", "/bot1:a/getMe", "/control/log?after=9&wait_s=30")
    ]
    clients.append(socket.create_connection(("127.0.0.1", simulator.smtp_port)))
    clients.append(socket.create_connection(("127.0.0.1", simulator.http_port)))
    assert len(simulator.entries(3)) == 3

    assert simulator.stop(number) == 0  # and long before the hanging calls would end
    for client in clients:
        client.close()


def test_stops_while_an_smtp_client_hangs_in_data(start_sandbox):
    simulator = start_sandbox()
    simulator.misbehave("smtp", hang=True, at="data")
    client = socket.create_connection(("127.0.0.1", simulator.smtp_port))
    client.sendall(
        b"EHLO c.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@x.test>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\n"
    )
    assert simulator.entries()[0]["outcome"] == "hung"
    assert simulator.stop() == 0
    client.close()


def _request(simulator, path: str) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", simulator.http_port))
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return client
