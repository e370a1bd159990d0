"""A real Daphne on the test database, and what a producer and a person need to talk to it."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import jwt
import pytest
import redis
import websockets.sync.client
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from config.child_process import end
from config.embedded import free_port
from notifications.events import SourceGrant
from proto.tocsin.v1 import user_events_pb2 as wire

ROOT = Path(__file__).resolve().parents[2]
AUTH_WITHIN_S = 1.0
GRANT = SourceGrant(1, "venue")
PATIENCE = {  # with pages that are quicker than people; floods have tests of their own
    "TOCSIN_SOCKET_FRAMES_PER_S": "10000",
    "TOCSIN_SOCKET_FRAMES_BURST": "10000",
}
SIGNING_KEY = Ed25519PrivateKey.generate()
_PUBLIC = SIGNING_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
JWT_KEY_SETTING = {"JWT_PUBLIC_KEYS": _PUBLIC.replace("\n", "\\n")}


def eventually(found: Callable[[], object], within_s: float = 10.0) -> object:
    """Return what `found` returns as soon as that is true; fail after `within_s`."""
    deadline = time.monotonic() + within_s
    while not (value := found()):
        assert time.monotonic() < deadline, f"{found} did not become true"
        time.sleep(0.02)
    return value


def event_json(**changes: object) -> dict:
    """One good event; a change to `...` leaves the field out."""
    event = {
        "event_id": f"e-{uuid.uuid4()}",
        "user_id": "ann",
        "timestamp": int(time.time() * 1000),
        "event_type": "ORDER_FILLED",
        "payload": {"symbol": "BTC/USDT", "fill_quantity": "0.5"},
        "delivery": {"priority": "NORMAL"},
    } | changes
    return {name: value for name, value in event.items() if value is not ...}


def event_message(**changes: object) -> wire.UserEvent:
    """The protobuf of `event_json`."""
    event = event_json(**changes)
    payload = event.pop("payload", None)
    delivery = event.pop("delivery", None)
    message = wire.UserEvent(**event)
    if payload is not None:
        message.payload = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    if delivery is not None:
        message.delivery.CopyFrom(wire.DeliverySpec(**delivery))
    return message


@dataclass
class Server:
    """A running Daphne."""

    process: "subprocess.Popen[bytes]"
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"


@contextmanager
def running_daphne(log: Path, *, wanted_port: int = 0, **env: str) -> Iterator[Server]:
    port = free_port(wanted_port)
    server = [sys.executable, "-m", "gateway.server", "-b", "127.0.0.1", "-p", str(port)]
    command = [*server, "config.asgi:application"]
    settings = {"DJANGO_SETTINGS_MODULE": "config.settings.development", "TOCSIN_HOME": str(log.parent)}
    settings |= PATIENCE
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | settings | env, stdout=output, stderr=output
        )
    try:
        eventually(lambda: process.poll() is not None or _answers(port), within_s=30)
        assert process.poll() is None, log.read_text()[-2000:]
        yield Server(process, port)
    finally:
        end(process)


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False, timeout=5).is_success
    except httpx.HTTPError:
        return False


def database_url(name: str) -> str:
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()


@contextmanager
def running_server_of(log: Path, **env: str) -> Iterator[Server]:
    """Run a server on the test's database that believes the tests' tokens."""
    from django.db import connection

    url = database_url(connection.settings_dict["NAME"])
    with running_daphne(log, **({"DATABASE_URL": url} | JWT_KEY_SETTING | env)) as server:
        yield server


@pytest.fixture(scope="session")
def daphne(
    django_db_setup: None, tmp_path_factory: pytest.TempPathFactory, django_db_blocker
) -> Iterator[Server]:
    with running_server_of(
        tmp_path_factory.mktemp("daphne") / "daphne.log",
        TOCSIN_AUTH_WITHIN_S=str(AUTH_WITHIN_S),
    ) as server:
        yield server


@pytest.fixture
def valkey() -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        yield client


@pytest.fixture
def ann(transactional_db: None):
    from users.models import User

    return User.objects.create_user("ann", external_id="ann")


@pytest.fixture
def bob(transactional_db: None):
    from users.models import User

    return User.objects.create_user("bob", external_id="bob")


@pytest.fixture
def venue(transactional_db: None):
    from users.models import Source

    return Source.objects.create(name="venue", allow_stream=True)


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


@pytest.fixture
def producer(daphne: Server, venue, ann) -> Iterator[Producer]:
    from users import keys

    with Producer(daphne, keys.issue(venue, ["publish", "read"])) as client:
        yield client


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


@pytest.fixture
def open_page(daphne: Server) -> Iterator[Callable[..., Page]]:
    """Open a page of a person, as their browser does: with the session's cookie and an Origin."""
    pages: list[Page] = []

    def open_one(
        person=None,
        *,
        path: str = "/ws",
        origin: str | None = daphne.url,
        cookie: str = "",
        ready: bool = True,
    ) -> Page:
        sent = cookie or (cookie_of(person) if person else "")
        headers = {"Cookie": sent} if sent else {}
        url = f"{daphne.ws_url}{path}"
        pages.append(Page(url, ready=ready, origin=origin, additional_headers=headers))
        return pages[-1]

    yield open_one
    for page in pages:
        page.close()


def cookie_of(person) -> str:
    """The Cookie header of a browser in which this person has signed in."""
    from django.test import Client

    client = Client()
    client.force_login(person)
    return f"sessionid={client.cookies['sessionid'].value}"


def token_for(sub: str, /, *, key: Ed25519PrivateKey = SIGNING_KEY, **claims: object) -> str:
    given = {"sub": sub, "aud": "tocsin", "exp": int(time.time()) + 300} | claims
    return jwt.encode(
        {name: value for name, value in given.items() if value is not ...}, key, algorithm="EdDSA"
    )


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

        return StreamIngress(self.client, name, **({"block_ms": 1} | options))

    def drain(self, ingress=None) -> None:
        """Step until neither old nor new entries are left."""
        ingress = ingress or self.consumer()
        idle = 0
        while idle < 2:
            idle = 0 if ingress.step() else idle + 1


@pytest.fixture
def stream(valkey, venue, ann) -> Stream:
    valkey.flushdb()
    valkey.xgroup_create("tocsin:events", "tocsin", id="0", mkstream=True)
    return Stream(valkey)
