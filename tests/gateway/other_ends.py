"""What is at the other ends of the gateway: a producer, an open page, the stream."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
import redis
import websockets.sync.client

from proto.tocsin.v1 import user_events_pb2 as wire
from tests.gateway.good_events import event_json, event_message
from tests.gateway.servers import Server
from tests.kit.sign_in import cookie_of


class Producer(httpx.Client):
    """An HTTP client with a key of its source."""

    def __init__(self, server: Server, key: str) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        super().__init__(base_url=f"{server.url}/api/v1", headers=headers, timeout=40, trust_env=False)

    def publish(self, wait: float = 0, **changes: object) -> httpx.Response:
        return self.post("/events", json=event_json(**changes), params={"wait": wait} if wait else {})

    def publish_message(self, message: wire.UserEvent) -> tuple[int, wire.EventAck]:
        answer = self.post_protobuf("/events", message.SerializeToString())
        assert answer.headers["Content-Type"] == "application/x-protobuf"
        return answer.status_code, wire.EventAck.FromString(answer.content)

    def post_protobuf(self, path: str, content: bytes) -> httpx.Response:
        return self.post(path, content=content, headers={"Content-Type": "application/x-protobuf"})

    def batch(self, *events: object) -> list[dict]:
        answer = self.post("/events/batch", json={"events": events})
        assert answer.status_code == 200, answer.text
        return answer.json()["acks"]


class Page:
    """One WebSocket of a person, and what it received."""

    def __init__(self, url: str, *, ready: bool = True, **options: object) -> None:
        self._stack = ExitStack()
        opened = websockets.sync.client.connect(url, proxy=None, open_timeout=20, **options)  # type: ignore[arg-type]
        self.socket = self._stack.enter_context(opened)
        self.ready = self.receive() if ready else {}
        assert not ready or self.ready["type"] == "ready"

    def send(self, **frame: object) -> None:
        self.socket.send(json.dumps(frame))

    def receive(self, timeout_s: float = 10) -> dict:
        return json.loads(self.socket.recv(timeout=timeout_s))

    def close(self) -> None:
        self._stack.close()

    def barrier(self) -> None:
        """Return when everything that was sent before has been handled, with nothing else said."""
        self.send(type="ping")
        assert self.receive() == {"type": "pong"}

    def closed_with(self) -> int:
        """Read on until the server closes, and return its code."""
        with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
            while True:
                self.socket.recv(timeout=10)
        assert closed.value.rcvd is not None
        return closed.value.rcvd.code


@contextmanager
def pages_of(server: Server) -> Iterator[Callable[..., Page]]:
    """Open pages of persons, as their browsers do: with the session's cookie and an Origin."""
    with ExitStack() as pages:

        def open_one(
            person=None,
            *,
            path: str = "/ws",
            origin: str | None = server.url,
            cookie: str = "",
            ready: bool = True,
        ) -> Page:
            sent = cookie or (cookie_of(person) if person else "")
            headers = {"Cookie": sent} if sent else {}
            page = Page(f"{server.ws_url}{path}", ready=ready, origin=origin, additional_headers=headers)
            pages.callback(page.close)
            return page

        yield open_one


class Stream:
    """The ingest stream as its producers and its operators see it."""

    def __init__(self, client: "redis.Redis") -> None:
        self.client = client

    def add(self, data: bytes | None = None, **changes: object) -> str:
        """Write one event, or `data` as it is; return the entry's id."""
        message = event_message(**changes)
        message.source = str(changes.get("source", "venue"))
        return self.client.xadd("tocsin:events", {"e": message.SerializeToString() if data is None else data})

    def acks(self, source: str = "venue") -> list[wire.EventAck]:
        entries = self.client.xrange(f"tocsin:acks:{source}")
        return [wire.EventAck.FromString(fields[b"a"]) for _, fields in entries]

    def told(self) -> list[tuple[str, str, bool, str]]:
        """What the source was told: event id, status, final, code."""
        return [(a.event_id, wire.AckStatus.Name(a.status), a.final, a.code) for a in self.acks()]

    @property
    def length(self) -> int:
        return self.client.xlen("tocsin:events")

    @property
    def pending(self) -> int:
        return self.client.xpending("tocsin:events", "tocsin")["pending"]

    def consumer(self, name: str = "one", **options: int):
        from gateway.ingress.streams import StreamIngress

        return StreamIngress(self.client, name, **({"block_ms": 1, "load_every_s": 0} | options))

    def drain(self, ingress=None) -> None:
        """Step until neither old nor new entries are left."""
        ingress = ingress or self.consumer()
        idle = 0
        while idle < 2:
            idle = 0 if ingress.step() else idle + 1
