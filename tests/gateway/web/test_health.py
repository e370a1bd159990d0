"""/healthz and /readyz, and every door of a gateway whose Postgres or Redis is away."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx
import pytest
from django.db import connection

from sandbox.system.start import free_port
from tests.faults.proxy import Proxy
from tests.gateway.good_events import event_json, event_message
from tests.gateway.servers import Server, database_url, running_daphne, running_server_of
from tests.kit.eventually import eventually

KEY = "Bearer tsn_aaaaaaaaaa_" + "a" * 43

pytestmark = pytest.mark.django_db  # so that its database is made, also when this file runs alone


def test_a_process_that_answers_is_healthy_and_ready(daphne: Server) -> None:
    assert httpx.get(f"{daphne.url}/healthz", trust_env=False).json() == {"status": "ok"}
    answer = httpx.get(f"{daphne.url}/readyz", trust_env=False)
    assert answer.status_code == 200, answer.text
    told = parsedate_to_datetime(answer.headers["Date"]).timestamp()  # a client compares its clock with it
    assert abs(told - time.time()) < 3
    assert answer.json() == {
        "status": "ok",
        "checks": {"postgres": True, "redis": True, "broker": True},
        "channels": {},
        "clock_skew_s": {},
    }


def test_without_redis_it_is_degraded_and_still_ready(django_db_setup, tmp_path) -> None:
    away = f"redis://127.0.0.1:{free_port(0)}/0"
    with running_server_of(tmp_path / "log", REDIS_URL=away, CELERY_BROKER_URL=away) as server:
        answer = httpx.get(f"{server.url}/readyz", trust_env=False, timeout=10)
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "degraded",
        "checks": {"postgres": True, "redis": False, "broker": False},
        "channels": {},
        "clock_skew_s": {},
    }


def test_in_a_black_hole_redis_does_not_keep_the_answer_back(django_db_setup, tmp_path) -> None:
    there = urlsplit(os.environ["REDIS_URL"])
    proxy = Proxy(there.port)
    by_proxy = there._replace(netloc=f"{there.netloc.rpartition(':')[0]}:{proxy.port}").geturl()
    away = {"REDIS_URL": by_proxy, "CELERY_BROKER_URL": by_proxy}

    def readiness() -> tuple[int, str]:
        answer = httpx.get(f"{server.url}/readyz", trust_env=False, timeout=5)
        return answer.status_code, answer.json()["status"]

    with running_server_of(tmp_path / "log", **away) as server:
        eventually(lambda: readiness() == (200, "ok"))
        proxy.black_hole()
        for _ in range(3):
            assert readiness() == (200, "degraded")
        proxy.heal()
        eventually(lambda: readiness() == (200, "ok"), within_s=15)
    proxy.close()


@pytest.fixture
def postgres_cut_off(django_db_setup):
    """A proxy before the test's Postgres, and the database's address by way of it."""
    there = urlsplit(database_url(connection.settings_dict["NAME"]))
    proxy = Proxy(there.port)
    by_proxy = there._replace(netloc=f"{there.username}:{there.password}@127.0.0.1:{proxy.port}")
    yield proxy, by_proxy.geturl()
    proxy.close()


def test_it_is_ready_soon_after_postgres_is_back_however_long_it_was_away(postgres_cut_off, tmp_path) -> None:
    """A pool that waits twice as long after each failure would be asked in vain for as long again."""
    proxy, url = postgres_cut_off

    def ready() -> bool:
        try:
            return httpx.get(f"{server.url}/readyz", trust_env=False, timeout=1).is_success
        except httpx.TimeoutException:
            return False

    with running_daphne(tmp_path / "log", DATABASE_URL=url) as server:
        eventually(ready)
        proxy.refuse()
        away_until = time.monotonic() + 8  # pauses that double from one second end after 1, 3, 7 and 15
        while time.monotonic() < away_until:
            assert not ready()
        proxy.heal()
        eventually(ready, within_s=4)


@pytest.fixture(scope="module")
def without_postgres(tmp_path_factory):
    folder = tmp_path_factory.mktemp("away")
    with running_daphne(folder / "log", DATABASE_URL=f"postgres://x:x@127.0.0.1:{free_port(0)}/x") as server:
        yield server


def test_without_postgres_nothing_is_accepted(without_postgres: Server) -> None:
    """All at once: each waits for a connection as long as the pool lets it."""
    events = f"{without_postgres.url}/api/v1/events"
    protobuf = {"Content-Type": "application/x-protobuf"}
    calls = {
        "one": ("POST", events, {"json": event_json()}),
        "protobuf": (
            "POST",
            events,
            {"content": event_message().SerializeToString(), "headers": protobuf},
        ),
        "batch": ("POST", f"{events}/batch", {"json": {"events": [event_json()]}}),
        "read": ("GET", f"{events}/e-1", {}),
        "readyz": ("GET", f"{without_postgres.url}/readyz", {}),
        "healthz": ("GET", f"{without_postgres.url}/healthz", {}),
    }

    def call(name: str) -> httpx.Response:
        method, url, options = calls[name]
        headers = {"Authorization": KEY} | options.pop("headers", {})
        return httpx.request(method, url, headers=headers, timeout=40, trust_env=False, **options)

    with ThreadPoolExecutor(len(calls)) as pool:
        answers = dict(zip(calls, pool.map(call, calls), strict=True))
    assert answers.pop("healthz").status_code == 200
    ready = answers.pop("readyz")
    assert (ready.status_code, ready.json()["status"]) == (503, "unavailable")
    assert not ready.json()["checks"]["postgres"]
    for name, answer in answers.items():
        assert answer.status_code == 503, name
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.json()["code"] == "unavailable"
        assert "Send it again" in answer.json()["detail"]


def test_a_process_whose_clock_is_off_is_named(daphne: Server) -> None:
    from notifications.operations import clocks
    from runtime.redis.client import client

    clocks._report(7.0)
    [process] = clocks.notable_skews()
    try:
        answer = httpx.get(f"{daphne.url}/readyz", trust_env=False)
        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
        assert answer.json()["clock_skew_s"] == {process: 7.0}
        metrics = httpx.get(f"{daphne.url}/metrics", trust_env=False).text
        assert f'tocsin_clock_skew_seconds{{process="{process}"}} 7.0' in metrics
    finally:
        client().delete("clock.skew")
