"""/metrics and GET /events/stats: the guarantee in numbers, for Prometheus and for a source."""

import os
import re
import subprocess
import sys
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from config.env import ROOT
from gateway.normalizers import routes
from notifications.models import Event
from notifications.operations import canary
from notifications.states import EndCode
from runtime.redis.client import client
from users import keys
from users.models import Source, User


def scrape() -> dict[tuple[str, ...], float]:
    answer = Client().get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    families = text_string_to_metric_families(answer.content.decode())
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.fixture
def waiting(db) -> Event:
    """A CRITICAL event that has waited for a minute and that nobody looks after."""
    source = Source.objects.create(name="desk")
    person = User.objects.create_user("carl", external_id="carl")
    at = timezone.now() - timedelta(seconds=60)
    return Event.objects.create(
        source=source,
        event_id="e1",
        person=person,
        seq=1,
        event_type="ORDER_FILLED",
        priority=2,
        occurred_at=at,
        accepted_at=at,
        raw=b"",
        digest=b"",
        state="accepted",
    )


def test_the_gauges_are_read_from_the_rows_at_each_scrape(waiting) -> None:
    found = scrape()
    assert 60 <= found["tocsin_oldest_critical_seconds",] < 120
    assert found["tocsin_stuck_rows", "orphaned"] == 1
    assert found["tocsin_stuck_rows", "overdue"] == 0
    assert found["tocsin_unfinished_events", "CRITICAL"] == 1
    assert found["tocsin_recent_events", "accepted"] == 1
    assert found["tocsin_up", "postgres"] == 1
    Event.objects.update(state="failed", final_at=timezone.now())
    found = scrape()
    assert found["tocsin_oldest_critical_seconds",] == 0
    assert found["tocsin_dead_letters",] == 1


def test_canaries_and_the_counters_of_the_process_are_there(db) -> None:
    client().delete(*map(canary.key, canary.queues()))
    canary.mark("critical", now=timezone.now())
    found = scrape()
    assert found["tocsin_canary_age_seconds", "critical"] < 30
    assert found["tocsin_canary_age_seconds", "normal"] == float("inf")
    assert any(name[0] == "process_cpu_seconds_total" for name in found)


def test_what_other_processes_counted_is_there(db) -> None:
    before = scrape().get(("tocsin_sends_total", "TELEGRAM", "temporary"), 0)
    python(
        """
import django
django.setup()
from django.utils import timezone
from notifications.delivery import channel_health
from notifications.states import AttemptOutcome, Channel
for _ in range(2):
    channel_health.count(Channel.TELEGRAM, [AttemptOutcome.TEMPORARY] * 2, now=timezone.now())
"""
    )
    found = scrape()
    assert found["tocsin_sends_total", "TELEGRAM", "temporary"] == before + 4
    assert (found["tocsin_breaker_open", "TELEGRAM"], found["tocsin_breaker_open", "EMAIL"]) == (0, 0)
    client().delete("breaker.TELEGRAM.failing")


def python(code: str, **environment: str) -> str:
    given = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings.test"} | environment
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=given, cwd=ROOT, capture_output=True, check=True).stdout.decode()


_SHARED = """
import django
django.setup()
from gateway.sockets.feed import DROPPED
DROPPED.labels("live").inc(2)
"""
_SCRAPE = """
import django
django.setup()
from gateway.web.metrics import _processes
from prometheus_client import generate_latest
print(generate_latest(_processes()).decode())
"""


def test_processes_that_share_a_folder_are_scraped_as_one(tmp_path) -> None:
    shared = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    python(_SHARED, **shared)
    python(_SHARED, **shared)
    assert 'tocsin_frames_dropped_total{kind="live"} 4.0' in python(_SCRAPE, **shared)


def test_a_source_sees_its_own_counts_and_how_the_system_fares(waiting) -> None:
    key = keys.issue(waiting.source, ["read"])
    told = Client().get("/api/v1/events/stats", headers={"Authorization": f"Bearer {key}"}).json()
    assert told["by"]["state"] == {"accepted": 1}
    assert told["oldest_critical_s"] >= 60
    assert (told["system"]["overdue"], told["system"]["orphaned"]) == (0, 1)
    assert set(told["system"]["canary_age_s"]) == set(canary.queues())
    other = keys.issue(Source.objects.create(name="other"), ["read"])
    told = Client().get("/api/v1/events/stats", headers={"Authorization": f"Bearer {other}"}).json()
    assert (told["by"]["state"], told["oldest_critical_s"]) == ({}, 0)


@pytest.mark.parametrize("window_s", ["0", "86401", "x"])
def test_a_window_out_of_range_is_refused(waiting, window_s) -> None:
    headers = {"Authorization": f"Bearer {keys.issue(waiting.source, ['read'])}"}
    answer = Client().get("/api/v1/events/stats", {"window_s": window_s}, headers=headers)
    assert (answer.status_code, answer.json()["field"]) == (422, "window_s")


def test_every_metric_is_documented() -> None:
    names = set()
    for package in ("notifications", "gateway"):
        for path in (ROOT / package).rglob("*.py"):
            names |= set(re.findall(r'"(tocsin_[a-z_]+)"', path.read_text()))
    text = (ROOT / "docs/operations.md").read_text()
    assert len(names) > 6
    assert {name for name in names - routes.LABELS.keys() if f"`{name}`" not in text} == set()


def test_every_reason_of_a_replay_is_documented() -> None:
    text = (ROOT / "docs/operations.md").read_text()
    said, codes = set(), set()
    for name in ("notifications/operations/replay.py", "notifications/store/replay.py"):
        source = (ROOT / name).read_text()
        said |= set(re.findall(r'skipped\["([a-z_]+)"\]|return "([a-z_]+)"', source))
        codes |= {EndCode[code].value for code in re.findall(r"skipped\[EndCode\.([A-Z_]+)\]", source)}
    reasons = {first or second for first, second in said} | codes
    assert {"running", "delivered", "in_flight", "no_channel", "not_found"} <= reasons
    assert {reason for reason in reasons if f"| `{reason}` |" not in text} == set()
