"""A producer brings its people: created by one call, or by the event itself, and reached at once."""

import json
import re
import subprocess
import uuid

import httpx

from sandbox.system.launcher import curl_line, person_line
from tests.kit.eventually import eventually

INLINE = {
    "name": "Bob",
    "locale": "de",
    "addresses": [{"channel": "TELEGRAM", "address": "400500600", "verified": True}],
}


def run(line: str) -> dict:
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def sent_to(system, chat_id: str) -> list[dict]:
    return [one for one in system.simulator.received("telegram") if chat_id in one["to"]]


def test_two_lines_create_a_person_and_reach_them(system):
    port, key = system.values["PORT"], system.values["DEMO_API_KEY"]
    person = run(person_line(port, key))
    assert (person["user_id"], person["addresses"][0]["verified"]) == ("alice", True)
    ack = run(curl_line(port, key).replace('"user_id":"demo"', '"user_id":"alice"'))
    assert (ack["status"], ack["delivered_via"], ack["final"]) == ("DELIVERED", "TELEGRAM", True)
    assert len(sent_to(system, "300200100")) == 1


def test_an_event_brings_its_person(system):
    user_id = f"bob-{uuid.uuid4()}"
    first = system.publish(user_id=user_id, recipient=INLINE)
    again = system.publish(user_id=user_id)
    assert [ack["delivered_via"] for ack in (first, again)] == ["TELEGRAM", "TELEGRAM"]
    assert len(sent_to(system, "400500600")) == 2
    assert system.api.get(f"/users/{user_id}").json()["locale"] == "de"


def test_a_test_message_reaches_the_address_and_only_so_often(system):
    chat = {"channel": "TELEGRAM", "address": "700800900", "verified": True}
    system.api.put("/users/carol", json={"locale": "de", "addresses": [chat]}).raise_for_status()
    [destination] = system.api.get("/users/carol/destinations").json()["destinations"]
    path = f"/users/carol/destinations/{destination['id']}/test"
    answers = [system.api.post(path) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert {answer.json()["outcome"] for answer in answers[:3]} == {"sent"}
    assert answers[3].headers["Retry-After"] == "60"
    eventually(lambda: len(sent_to(system, "700800900")) == 3, within_s=5)
    system.simulator.misbehave("telegram", error="chat_not_found")
    system.api.patch(path.removesuffix("/test"), json={"address": "1", "verified": True}).raise_for_status()
    refused = system.api.post(path).json()
    assert (refused["outcome"], refused["provider_message_id"]) == ("recipient", "")
    assert refused["reason"]


def mails_to(system, address: str) -> list[dict]:
    return [one for one in system.simulator.received("smtp") if address in one["to"]]


def add_mailbox(system, user_id: str) -> str:
    """Create a person with a mailbox that nobody vouches for. Return the path of its `verify`."""
    body = {"locale": "de", "addresses": [{"channel": "EMAIL", "address": f"{user_id}@example.org"}]}
    [address] = system.api.put(f"/users/{user_id}", json=body).raise_for_status().json()["addresses"]
    assert address["verified"] is False
    return f"/users/{user_id}/destinations/{address['id']}/verify"


def test_a_mailbox_is_verified_by_the_code_that_arrives_there(system):
    user_id = f"vera-{uuid.uuid4().hex[:8]}"
    verify = add_mailbox(system, user_id)
    assert system.publish(user_id=user_id)["status"] != "DELIVERED"
    assert mails_to(system, user_id) == []
    assert system.api.post(verify).status_code == 202
    [mail] = mails_to(system, user_id)
    assert mail["subject"] == "Adresse bestätigen"
    [code] = re.findall(r"Code lautet (\d{6})", mail["text"])
    assert system.api.post(verify, json={"code": code}).json()["verified"] is True
    ack = system.publish(user_id=user_id)
    assert (ack["status"], ack["delivered_via"]) == ("DELIVERED", "EMAIL")
    assert len(mails_to(system, user_id)) == 2


def test_a_mailbox_is_verified_by_the_link_that_arrives_there(system):
    user_id = f"vera-{uuid.uuid4().hex[:8]}"
    system.api.post(add_mailbox(system, user_id)).raise_for_status()
    [mail] = mails_to(system, user_id)
    [link] = re.findall(r"http://\S+", mail["text"])
    with httpx.Client(trust_env=False) as browser:
        assert "Bestätigen" in browser.get(link).text
        assert system.api.get(f"/users/{user_id}").json()["addresses"][0]["verified"] is False
        assert browser.post(link).status_code == 200
    assert system.publish(user_id=user_id)["delivered_via"] == "EMAIL"
