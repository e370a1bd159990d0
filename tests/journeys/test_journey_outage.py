"""An outage as an operator sees it: a provider refuses everything, and every instrument says so."""

import json

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.kit.eventually import eventually


def metric(system, name: str, **labels: str) -> float:
    text = httpx.get(f"{system.url}/metrics", trust_env=False, timeout=10).text
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return sum(one.value for one in samples if (one.name, one.labels) == (name, labels))


def degraded(system) -> dict[str, str]:
    answer = httpx.get(f"{system.url}/readyz", trust_env=False, timeout=10)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["status"] == "degraded") == bool(body["channels"])
    found: dict[str, str] = body["channels"]
    return found


@pytest.fixture
def outage(system):
    """A Telegram that refuses everything."""
    system.simulator.misbehave("telegram", status=502)
    return system


def sends(system, outcome: str) -> float:
    return metric(system, "tocsin_sends_total", channel="TELEGRAM", outcome=outcome)


def test_three_failures_are_counted_logged_and_named_although_no_breaker_opens(outage):
    before = sends(outage, "temporary")
    assert outage.publish()["delivered_via"] == "EMAIL"
    assert sends(outage, "temporary") == before + 3
    assert metric(outage, "tocsin_breaker_open", channel="TELEGRAM") == 0
    assert degraded(outage).keys() == {"TELEGRAM"}
    assert "no send has succeeded since" in degraded(outage)["TELEGRAM"]
    lines = [json.loads(line) for line in outage.logged("worker").splitlines() if "send_failed" in line]
    told = lines[-1]
    assert (told["channel"], told["error"], told["reason"]) == (
        "TELEGRAM",
        "TemporaryError",
        "Telegram: bad gateway",
    )
    outage.simulator.behave()
    assert outage.publish()["delivered_via"] == "TELEGRAM"
    assert degraded(outage) == {}


def test_a_wait_is_in_the_events_trace_with_its_reason_and_its_end(system):
    system.simulator.misbehave("telegram", retry_after_s=600)
    event = system.event(delivery={"priority": "NORMAL", "channels": ["TELEGRAM"]})
    event["expires_at"] = event["timestamp"] + 900_000
    system.api.post("/events", json=event).raise_for_status()

    def waits() -> list[dict]:
        return [step for step in system.story(event["event_id"])["timeline"] if step["kind"] == "waiting"]

    eventually(waits)
    [step] = waits()
    assert (step["channel"], step["level"]) == ("TELEGRAM", "warn")
    assert step["text"].startswith("waiting for TELEGRAM until 2")
    assert step["text"].endswith("UTC: the provider's Retry-After")


@pytest.mark.parametrize("life", [{}, {"expires_in_s": 15}])
def test_critical_leaves_a_limited_telegram_within_seconds(system, life):
    system.simulator.misbehave("telegram", retry_after_s=3_600)
    event = system.event(delivery={"priority": "CRITICAL", "channels": ["TELEGRAM", "EMAIL"]})
    if life:
        event["expires_at"] = event["timestamp"] + 1_000 * life["expires_in_s"]
    ack = system.api.post("/events", params={"wait": 10}, json=event).raise_for_status().json()
    assert (ack["status"], ack["delivered_via"]) == ("DELIVERED", "EMAIL")
    kinds = [step["kind"] for step in system.story(event["event_id"])["timeline"]]
    assert kinds.index("waiting") < kinds.index("sent")


def test_a_breaker_that_opened_is_a_gauge_until_it_has_closed(outage):
    burst = {"events": [outage.event() for _ in range(12)]}
    outage.api.post("/events/batch", json=burst).raise_for_status()
    eventually(lambda: metric(outage, "tocsin_breaker_open", channel="TELEGRAM") == 1)
    assert degraded(outage)["TELEGRAM"].startswith("its breaker is open")
    outage.simulator.behave()
    eventually(lambda: outage.publish()["delivered_via"] == "TELEGRAM", within_s=30)
    eventually(lambda: outage.publish() and metric(outage, "tocsin_breaker_open", channel="TELEGRAM") == 0)
    assert degraded(outage) == {}
