"""A digest that is due while nothing runs: one message after the restart, and a final ack for each event."""

import signal
import uuid

from tests.kit.eventually import eventually

CHAT = "515253"


def messages(system) -> list[dict]:
    return [one for one in system.simulator.received("telegram") if CHAT in one["to"]]


def test_a_digest_survives_a_restart(start_system):
    user = f"dora-{uuid.uuid4()}"
    chat = {"channel": "TELEGRAM", "address": CHAT, "verified": True}
    wish = {"digests": [{"channel": "TELEGRAM", "mode": "INTERVAL", "period_s": 10}]}
    first = start_system("web", "worker", "control", "beat", "sandbox").wait_until_ready()
    first.api.put(f"/users/{user}", json={"addresses": [chat]}).raise_for_status()
    first.api.put(f"/users/{user}/preferences", json=wish).raise_for_status()
    acks = [first.publish(wait_s=0, user_id=user, delivery={"priority": "NORMAL"}) for _ in range(3)]
    assert [ack["final"] for ack in acks] == [False] * 3
    assert messages(first) == []
    assert first.stop(signal.SIGTERM) == 0

    again = start_system("web", "worker", "control", "beat", "sandbox").wait_until_ready()
    acks = eventually(lambda: _ended(again, [ack["event_id"] for ack in acks]), within_s=30)
    [message] = messages(again)
    assert message["text"].count("•") == 3
    outcomes = {one["reason"] for ack in acks for one in ack["outcomes"] if one["channel"] == "TELEGRAM"}
    assert len(outcomes) == 1
    assert outcomes.pop().startswith("merged into ")
    assert again.stop(signal.SIGTERM) == 0


def _ended(system, event_ids):
    acks = [system.story(event_id)["ack"] for event_id in event_ids]
    return acks if all(ack["status"] == "DELIVERED" for ack in acks) else None
