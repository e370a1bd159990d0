"""Final acks to a source's callback: signed, again after a failure, and no more once it is dead."""

import json
import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.core import mail
from django.test import Client

from config.env import ROOT
from gateway.auth.bearer import grant_of_key
from gateway.codec import events
from gateway.ingress import callbacks as ingress
from notifications.ingest import ingest
from notifications.models import CallbackMessage, Event
from notifications.operations import callbacks
from runtime.postgres import clock
from tests.gateway.good_events import event_json
from users import keys
from users.models import Source


class Receiver:
    """A server that answers each call with the next of `statuses`, then with 204."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.calls: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.calls.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def server() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


@pytest.fixture
def receiver(server: Receiver, settings) -> Receiver:
    settings.CALLBACK_PRIVATE_HOSTS = [server.host]
    server.statuses, server.calls = [], []
    return server


class Owner:
    """A source with a callback, by the API of this process."""

    def __init__(self, receiver: Receiver) -> None:
        self.key = keys.issue(Source.objects.create(name="exchange"), ["publish", "read", "admin"])
        self.client = Client(headers={"Authorization": f"Bearer {self.key}"})
        self.url = f"http://{receiver.host}/acks"
        self.secret = self.put(self.url, owner_email="team@example.com").json()["secret"]

    def put(self, url: str, **more: str):
        return self.client.put("/api/v1/callback", {"url": url, **more}, content_type="application/json")

    def shown(self) -> dict:
        return self.client.get("/api/v1/callback").json()

    def publish(self, event_id: str) -> None:
        """Publish an event that has no channel: it ends at once."""
        grant = grant_of_key(keys.authenticate(self.key, now=clock.now()))
        [ack] = ingest([events.from_json(event_json(event_id=event_id), grant)], now=clock.now())
        assert ack.final


@pytest.fixture
def owner(receiver, ann) -> Owner:
    return Owner(receiver)


def step(after: timedelta = timedelta()) -> None:
    ingress.step(clock=lambda: clock.now() + after)


def verified_as_documented(call, secret: str) -> dict:
    [code] = re.findall(r"```python\n(.*?)```", (ROOT / "docs/callbacks.md").read_text(), re.DOTALL)
    scope: dict = {}
    exec(code, scope)
    return scope["verified"](*call, secret)


def test_a_final_ack_comes_once_signed_and_as_documented(owner, receiver) -> None:
    owner.publish("order-1")
    step()
    step()
    [call] = receiver.calls
    content = verified_as_documented(call, owner.secret)
    assert (content["type"], content["data"]["event_id"]) == ("event.final", "order-1")
    assert (content["data"]["status"], content["data"]["final"]) == ("ACK_ERROR", True)
    with pytest.raises(ValueError, match="wrong signature"):
        verified_as_documented((call[0], call[1] + b" "), owner.secret)
    assert owner.shown()["waiting"] == owner.shown()["given_up"] == 0


def test_a_failure_is_tried_again_by_the_schedule_under_the_same_id_until_it_is_given_up(
    owner, receiver
) -> None:
    receiver.statuses = [500, 302, *[503] * 6]
    owner.publish("order-1")
    at = timedelta()
    for number, wait_s in enumerate((0, *callbacks.SCHEDULE_S)):
        if number:
            step(at + timedelta(seconds=wait_s - 2))
        assert len(receiver.calls) == number
        at += timedelta(seconds=wait_s + 1)
        step(at)
        assert len(receiver.calls) == number + 1
    assert len({headers["webhook-id"] for headers, _ in receiver.calls}) == 1
    step(at + timedelta(days=4))
    assert len(receiver.calls) == 8
    assert (owner.shown()["given_up"], owner.shown()["last_error"]) == (1, "HTTP 503")


def test_a_crash_before_the_record_repeats_a_call_after_its_lease(owner, receiver) -> None:
    owner.publish("order-1")
    ingress.take_due(now=clock.now())
    assert len(callbacks.claim(now=clock.now(), limit=10)) == 1
    step()
    assert receiver.calls == []
    step(callbacks.LEASE + timedelta(seconds=1))
    assert len(receiver.calls) == 1


def test_without_a_success_for_days_it_is_switched_off_and_its_owner_told_once(owner, receiver) -> None:
    receiver.statuses = [500] * 4
    owner.publish("order-1")
    owner.publish("order-2")
    step()
    step(timedelta(days=5, minutes=1))
    assert owner.shown()["disabled_reason"] == "no success for 5 days"
    [message] = mail.outbox
    assert message.to == ["team@example.com"] and "HTTP 500" in message.body
    calls = len(receiver.calls)
    owner.publish("order-3")
    step(timedelta(days=6))
    assert len(receiver.calls) == calls and Event.objects.get(event_id="order-3").reply_to == ""
    receiver.statuses = []
    assert owner.put(owner.url).status_code == 200
    step(timedelta(days=6))
    assert len(receiver.calls) == calls + 2 and owner.shown()["failing_since"] is None


def test_gone_switches_it_off_at_once(owner, receiver) -> None:
    receiver.statuses = [410]
    owner.publish("order-1")
    step()
    assert owner.shown()["disabled_reason"] == "410 Gone" and len(mail.outbox) == 1


def test_after_a_rotation_either_secret_verifies_for_a_day(owner, receiver) -> None:
    made = owner.client.post("/api/v1/callback/rotate").json()["secret"]
    owner.publish("order-1")
    step()
    assert verified_as_documented(receiver.calls[0], owner.secret) == verified_as_documented(
        receiver.calls[0], made
    )
    assert owner.secret not in json.dumps(owner.shown()) and made not in json.dumps(owner.shown())


def test_a_host_that_is_private_by_now_is_not_called(owner, receiver, settings) -> None:
    settings.CALLBACK_PRIVATE_HOSTS = []
    owner.publish("order-1")
    step()
    assert receiver.calls == [] and "https" in owner.shown()["last_error"]
    assert owner.put("https://169.254.169.254/latest").json()["code"] == "url_not_allowed"


def test_without_a_callback_nothing_is_kept(owner, receiver) -> None:
    assert owner.client.delete("/api/v1/callback").status_code == 204
    owner.publish("order-1")
    step()
    assert receiver.calls == [] and CallbackMessage.objects.count() == 0
    assert owner.client.get("/api/v1/callback").status_code == 404
