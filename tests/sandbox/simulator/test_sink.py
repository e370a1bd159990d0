"""The generic receiver."""

import base64
import socket

import httpx
import pytest


def test_request_is_logged_whole(sandbox):
    answer = sandbox.http.post("/sink/hooks/ann?x=1", content='{"a": "ä"}', headers={"Webhook-Id": "msg_1"})
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    [entry] = sandbox.entries()
    assert (entry["channel"], entry["kind"], entry["to"], entry["query"]) == (
        "sink",
        "POST",
        "hooks/ann",
        "x=1",
    )
    assert (entry["text"], entry["headers"]["Webhook-Id"]) == ('{"a": "ä"}', "msg_1")


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_any_method_is_taken(sandbox, method):
    assert sandbox.http.request(method, "/sink/x").json() == {"ok": True}
    assert sandbox.entries()[0]["kind"] == method


def test_binary_body_is_kept(sandbox):
    sandbox.http.post("/sink/push", content=b"\xff\x00")
    assert base64.b64decode(sandbox.entries()[0]["body_base64"]) == b"\xff\x00"


@pytest.mark.parametrize(
    ("rule", "status", "outcome"),
    [
        ({"status": 503}, 503, "refused"),
        ({"status": 201}, 201, "accepted"),
        ({"status": 302}, 302, "refused"),
        ({"retry_after_s": 9}, 429, "refused"),
        ({"retry_after_s": 9, "status": 503}, 503, "refused"),
    ],
)
def test_status_is_answered(sandbox, rule, status, outcome):
    sandbox.misbehave("sink", **rule)
    answer = sandbox.http.post("/sink/x", content="body")
    assert answer.status_code == status
    assert answer.headers.get("Retry-After") == ("9" if "retry_after_s" in rule else None)
    [entry] = sandbox.entries()
    assert (entry["outcome"], entry["status"], entry["text"]) == (outcome, status, "body")


@pytest.mark.parametrize(
    ("rule", "raised", "outcome"),
    [
        ({"hang": True}, httpx.ReadTimeout, "hung"),
        ({"refuse": True}, httpx.TransportError, "refused"),
        ({"drop_answer": True}, httpx.RemoteProtocolError, "dropped_answer"),
        ({"drop_answer": True, "status": 500}, httpx.RemoteProtocolError, "refused"),
        ({"latency_ms": 60_000}, httpx.ReadTimeout, "accepted"),
    ],
)
def test_broken_connection_is_what_the_log_says(sandbox, rule, raised, outcome):
    sandbox.misbehave("sink", **rule)
    with pytest.raises(raised):
        sandbox.http.post("/sink/x", content="body", timeout=0.3)
    [entry] = sandbox.entries()
    assert (entry["outcome"], entry["fault"]) == (outcome, rule)


def test_refused_connection_is_reset(sandbox):
    sandbox.misbehave("sink", refuse=True)
    with socket.create_connection(("127.0.0.1", sandbox.http_port), timeout=5) as client:
        client.sendall(b"GET /sink/x HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
