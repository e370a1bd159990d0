"""Publishing while a server that the gateway needs stands still or refuses to write."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import httpx
import psutil
import psycopg
import pytest
import redis
from django.db import connection

from sandbox.system.start import free_port
from sandbox.system.valkey import Valkey
from tests.gateway.good_events import event_json
from tests.gateway.servers import Server, running_server_of
from tests.kit.eventually import eventually
from tests.kit.people import create_people


class Publishing:
    """A gateway with a Valkey of its own, and a producer."""

    def __init__(self, server: Server, valkey: Valkey, key: str) -> None:
        self.valkey = redis.Redis.from_url(valkey.url)
        self.valkey_process = psutil.Process(self.valkey.info("server")["process_id"])
        headers = {"Authorization": f"Bearer {key}"}
        self._api = httpx.Client(base_url=server.url, headers=headers, timeout=30, trust_env=False)

    def publish(self, event_id: str) -> tuple[int, float]:
        """Return the status and the seconds it took."""
        started = time.monotonic()
        answer = self._api.post("/api/v1/events", json=event_json(event_id=event_id, user_id="p0"))
        return answer.status_code, time.monotonic() - started

    def publish_at_once(self, count: int, name: str) -> list[tuple[int, float]]:
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(self.publish, [f"{name}-{number}" for number in range(count)]))

    def close(self) -> None:
        self._api.close()
        self.valkey.close()

    def readiness(self) -> tuple[int, str]:
        answer = self._api.get("/readyz")
        return answer.status_code, answer.json()["status"]


@pytest.fixture
def publishing(venue, tmp_path) -> Iterator[Publishing]:
    from users import keys

    create_people(1, chats=True)
    valkey = Valkey(tmp_path, "test", free_port(0))
    valkey.start()
    own = {"REDIS_URL": valkey.url, "CELERY_BROKER_URL": valkey.url}
    try:
        with (
            running_server_of(tmp_path / "log", **own) as server,
            closing(Publishing(server, valkey, keys.issue(venue, ["publish"]))) as found,
        ):
            assert found.publish("first")[0] == 202
            yield found
    finally:
        valkey.stop()


@contextmanager
def halted(publishing: Publishing):
    publishing.valkey_process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        publishing.valkey_process.send_signal(signal.SIGCONT)


def test_a_redis_that_stands_still_costs_a_publish_little_and_not_every_one(publishing: Publishing) -> None:
    with halted(publishing):
        answers = publishing.publish_at_once(40, "at-once")
        assert {status for status, _ in answers} == {202}
        assert max(took for _, took in answers) <= 2.0
        started = time.monotonic()
        later = [publishing.publish(f"later-{number}") for number in range(30)]
        assert {status for status, _ in later} == {202}
        assert time.monotonic() - started < 10
        assert sorted(took for _, took in later)[-6] < 0.5, later
        assert publishing.readiness() == (200, "degraded")
    eventually(lambda: publishing.readiness() == (200, "ok"), within_s=15)
    assert publishing.publish("afterwards")[0] == 202


REFUSALS = {
    "full": (["config", "set", "maxmemory", "1"], ["config", "set", "maxmemory", "0"]),
    "demoted": (["replicaof", "127.0.0.1", "1"], ["replicaof", "no", "one"]),
    "without its replicas": (
        ["config", "set", "min-replicas-to-write", "1"],
        ["config", "set", "min-replicas-to-write", "0"],
    ),
}


@pytest.mark.parametrize(("refuse", "relent"), REFUSALS.values(), ids=REFUSALS)
def test_a_redis_that_refuses_to_write_degrades_and_nothing_more(
    publishing: Publishing, refuse: list[str], relent: list[str]
) -> None:
    publishing.valkey.execute_command(*refuse)
    answers = publishing.publish_at_once(10, "refused")
    assert {status for status, _ in answers} == {202}
    assert max(took for _, took in answers) <= 2.0
    assert publishing.readiness() == (200, "degraded")
    publishing.valkey.execute_command(*relent)
    eventually(lambda: publishing.readiness() == (200, "ok"), within_s=15)


@pytest.fixture
def set_read_only(transactional_db, daphne):
    """Return a function that makes the test's database read-only, or writable again, for new sessions."""
    name = connection.settings_dict["NAME"]

    def set_read_only(on: bool) -> None:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as admin:
            admin.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = {on}')
            connection.close_pool()  # its sessions end too
            ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            admin.execute(ended, [name])  # also at the end: a session keeps what it began with

    yield set_read_only
    set_read_only(False)
    for _ in range(20):  # the server that other tests share lets each of its ended sessions go
        httpx.get(f"{daphne.url}/readyz", trust_env=False)
    connection.close()


def test_a_read_only_postgres_accepts_nothing_and_readiness_says_so(
    publishing: Publishing, set_read_only
) -> None:
    set_read_only(True)
    eventually(lambda: publishing.readiness() == (503, "unavailable"))
    assert publishing.publish("refused")[0] == 503
    set_read_only(False)
    eventually(lambda: publishing.readiness() == (200, "ok"), what="new sessions are used")
    assert publishing.publish("afterwards")[0] == 202
