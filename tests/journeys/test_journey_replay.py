"""The story of a dead letter: refused, mended, replayed from the admin, delivered, and never twice."""

import re

import httpx
import psycopg

LIST = "/admin/notifications/deadletter/"
ONLY_EMAIL = {"priority": "CRITICAL", "channels": ["EMAIL"]}


def replay_all(system, person: httpx.Client, **more: str) -> str:
    """Press the button above the list, and confirm. Return the page that follows."""
    asked = person.get(f"{LIST}replay/").raise_for_status()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', asked.text)
    form = {"csrfmiddlewaretoken": token.group(1) if token else "", "confirmed": "yes"} | more
    return person.post(f"{LIST}replay/", data=form, headers={"Referer": system.url}).raise_for_status().text


def test_a_dead_letter_is_replayed_from_the_admin_and_delivered_once(system) -> None:
    with psycopg.connect(system.values["DATABASE_URL"]) as database:  # dead letters of other stories
        database.execute("UPDATE notifications_event SET state = 'expired' WHERE state = 'failed'")
    system.misbehave("smtp", error="too_big")
    events = [system.publish(delivery=ONLY_EMAIL) for _ in range(2)]
    assert {(ack["final"], ack["status"]) for ack in events} == {(True, "ACK_ERROR")}
    system.simulator.delete("/faults").raise_for_status()  # the cause is mended
    with system.signed_in() as person:
        listed = person.get(LIST).raise_for_status().text
        assert all(ack["event_id"] in listed for ack in events)
        assert "2 accepted again." in replay_all(system, person)
        for ack in events:
            story = system.api.get(f"/events/{ack['event_id']}", params={"wait": 10}).json()
            assert (story["ack"]["status"], story["ack"]["seq"]) == ("DELIVERED", ack["seq"])
            assert [row["state"] for row in story["deliveries"]] == ["failed", "sent"]
            assert (story["replay_count"], story["history"][0]["state"]) == (1, "failed")
        assert "No dead letter matches" in replay_all(system, person)
    assert len(system.received("smtp")) == 2


def test_the_metrics_and_canaries_of_a_running_system_say_that_all_is_well(system) -> None:
    def page() -> str:
        return httpx.get(f"{system.url}/metrics", trust_env=False, timeout=10).raise_for_status().text

    queues = ("critical", "normal", "control")
    system.until(
        lambda: all(re.search(rf'age_seconds{{queue="{q}"}} \d', page()) for q in queues), within_s=20
    )
    text = page()
    for line in ('stuck_rows{kind="overdue"}', 'stuck_rows{kind="orphaned"}', "oldest_critical_seconds"):
        assert f"tocsin_{line} 0.0" in text
