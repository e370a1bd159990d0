"""The dead-man switch: the URL is called while all is well, and never otherwise."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from notifications import tasks
from notifications.models import Delivery
from notifications.operations import canary, heartbeat
from sandbox.system.start import free_port


class Watcher:
    """Somebody who listens for heartbeats, and answers with a given status."""

    def __init__(self) -> None:
        self.status = 200
        self.calls: list[str] = []
        watcher = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                watcher.calls.append(self.path)
                self.send_response(watcher.status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/ping"


@pytest.fixture
def watcher(settings, monkeypatch) -> Iterator[Watcher]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    listening = Watcher()
    settings.HEARTBEAT_URL = listening.url
    yield listening
    listening.server.shutdown()
    listening.server.server_close()


@pytest.fixture
def well(db, now) -> None:
    for queue in canary.queues():
        canary.mark(queue, now=now)


def test_it_is_called_while_all_is_well(watcher, well, now) -> None:
    assert heartbeat.send(now=now) == "sent"
    tasks.heartbeat_if_well()
    assert watcher.calls == ["/ping", "/ping"]


def test_without_a_url_nothing_is_called(well, now, settings) -> None:
    settings.HEARTBEAT_URL = ""
    assert heartbeat.send(now=now) == "off"


def test_it_is_silent_when_something_is_wrong(watcher, well, desk, ada, chat, now) -> None:
    desk.event(ada, chat)
    Delivery.objects.update(ring_at=None, ended_at=now)
    assert heartbeat.send(now=now) == "withheld"
    assert watcher.calls == []


def test_it_is_silent_when_redis_cannot_be_asked(watcher, well, redis_away, now) -> None:
    assert heartbeat.send(now=now) == "withheld"
    assert watcher.calls == []


@pytest.mark.parametrize("status", [302, 404, 500])
def test_an_answer_that_is_no_success_is_a_failure_and_no_redirect_is_followed(
    watcher, well, now, status
) -> None:
    watcher.status = status
    assert heartbeat.send(now=now) == "failed"
    assert watcher.calls == ["/ping"]


@pytest.mark.parametrize("url", ["http://127.0.0.1:{}/", "nonsense", "http://[", "ftp://127.0.0.1/"])
def test_it_never_raises(watcher, well, now, settings, url) -> None:
    settings.HEARTBEAT_URL = url.format(free_port(0))
    assert heartbeat.send(now=now) == "failed"
