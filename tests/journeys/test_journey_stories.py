"""The three stories of the first five minutes, with every process and server that a person would run."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator

import pytest

from sandbox.system.launcher import curl_line
from tests.kit.eventually import eventually
from tests.kit.raw_websocket import AsyncRawSocket


class Page:
    """A page as the server sees it: a socket of a signed-in browser."""

    def __init__(self, confirming: bool) -> None:
        self._confirming = confirming
        self.events: list[dict] = []

    def take(self, socket: AsyncRawSocket, frame: dict) -> None:
        self.socket = socket
        if frame["type"] == "event":
            self.events.append(frame)
            if self._confirming:
                self.confirm(frame["event_id"])

    def confirm(self, event_id: str) -> None:
        self.socket.say(type="ack", event_ids=[event_id])


@contextlib.asynccontextmanager
async def page(system, *, confirming: bool) -> AsyncIterator[Page]:
    with system.signed_in() as person:
        cookies = "; ".join(f"{name}={value}" for name, value in person.cookies.items())
    opened = Page(confirming)
    headers = {"Cookie": cookies, "Origin": system.url}
    socket = await AsyncRawSocket.open(
        int(system.values["PORT"]), "/ws", headers=headers, on_frame=opened.take
    )
    try:
        await socket.until_ready()
        yield opened
    finally:
        socket.close()


async def publish(system, **fields: object) -> dict:
    return await asyncio.to_thread(system.publish, **fields)


def ending(ack: dict) -> tuple:
    return ack["final"], ack["status"], ack["delivered_via"], ack["evidence"]


async def test_with_a_page_open_the_printed_curl_line_ends_confirmed_by_the_client(system):
    async with page(system, confirming=True) as opened:
        line = curl_line(system.values["PORT"], system.values["DEMO_API_KEY"])
        began = time.monotonic()
        process = await asyncio.create_subprocess_exec("sh", "-c", line, stdout=asyncio.subprocess.PIPE)
        output, _ = await process.communicate()
        took_s = time.monotonic() - began
        ack = json.loads(output)
        assert ending(ack) == (True, "DELIVERED", "WEB", "CLIENT")
        assert [event["event_id"] for event in opened.events] == [ack["event_id"]]
    assert took_s < 1
    assert system.simulator.received() == []


async def test_the_printed_curl_line_makes_a_new_event_each_time(system):
    line = curl_line(system.values["PORT"], system.values["DEMO_API_KEY"])
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", f"{line}; echo; {line}", stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    acks = [json.loads(text) for text in output.splitlines() if text]
    assert [ack["status"] for ack in acks] == ["DELIVERED", "DELIVERED"]
    assert len({ack["event_id"] for ack in acks}) == 2


def test_with_no_page_open_critical_goes_to_telegram_at_once(system):
    began = time.monotonic()
    ack = system.publish()
    assert time.monotonic() - began < 2
    assert ending(ack) == (True, "DELIVERED", "TELEGRAM", "TRANSPORT")
    assert [entry["channel"] for entry in system.simulator.received()] == ["telegram"]


def test_an_event_can_be_followed_through_the_logs_by_its_ids(system):
    ack = system.publish()
    delivery_id = system.story(ack["event_id"])["deliveries"][0]["id"]
    eventually(lambda: ack["event_id"] in system.logged("web"))
    eventually(lambda: ack["event_id"] in system.logged("worker"))
    records = [json.loads(line) for line in system.logged("worker").splitlines() if line.startswith("{")]
    [line] = [
        record
        for record in records
        if record.get("event") == "sent" and ack["event_id"] in record["event_ids"]
    ]
    assert delivery_id in line["delivery_ids"]


def test_a_dead_chat_is_disabled_and_the_mailbox_gets_it(system):
    system.simulator.misbehave("telegram", error="chat_not_found")
    ack = system.publish()
    assert ending(ack) == (True, "DELIVERED", "EMAIL", "TRANSPORT")
    assert [entry["channel"] for entry in system.simulator.received()] == ["smtp"]
    telegram = system.story(ack["event_id"])["deliveries"][0]
    assert (telegram["channel"], telegram["state"], telegram["failure_kind"]) == (
        "TELEGRAM",
        "failed",
        "recipient",
    )

    after = system.publish()
    assert ending(after) == (True, "DELIVERED", "EMAIL", "TRANSPORT")
    trace = system.story(after["event_id"])["trace"]
    skipped = next(line for line in trace if line["channel"] == "TELEGRAM")
    assert (skipped["verdict"], skipped["reason"]) == ("skipped", "disabled: Telegram: chat not found")
    assert len(system.simulator.requests("telegram")) == 1  # the dead chat was not asked again


async def test_a_silent_page_is_no_proof_and_telegram_gets_it_once(system):
    async with page(system, confirming=False) as opened:
        ack = await publish(system, ack_timeout_ms=1_000)
        assert ending(ack) == (True, "DELIVERED", "TELEGRAM", "TRANSPORT")
        (sent,) = system.simulator.received()
        assert sent["at_ms"] - opened.events[0]["ack_by"] in range(3_000)

        opened.confirm(ack["event_id"])  # too late
        await asyncio.to_thread(_until_confirmed_late, system, ack["event_id"])
        assert ending(system.story(ack["event_id"])["ack"]) == ending(ack)
    assert len(system.simulator.received()) == 1


def _until_confirmed_late(system, event_id: str) -> None:
    for _ in range(50):
        if any(step["text"] == "the page confirmed it late" for step in system.story(event_id)["timeline"]):
            return
        time.sleep(0.1)
    pytest.fail("the late confirmation was not noted")


async def test_two_pages_both_get_it_and_one_confirmation_is_enough(system):
    async with page(system, confirming=True) as one, page(system, confirming=False) as other:
        ack = await publish(system)
        assert ending(ack) == (True, "DELIVERED", "WEB", "CLIENT")
        for _ in range(20):
            if other.events:
                break
            await asyncio.sleep(0.05)
        assert one.events == other.events


async def test_the_producers_own_words_and_their_link_reach_telegram_and_the_mailbox(system):
    url = "https://docs.example.com/3.2"
    content = {"title": "Version 3.2 is out", "body": f"**Faster**: [notes]({url})", "url": url}
    content["actions"] = [{"label": "Read", "url": url}]
    for channel, log in (("TELEGRAM", "telegram"), ("EMAIL", "smtp")):
        delivery = {"priority": "CRITICAL", "channels": [channel]}
        ack = await publish(system, content=content, delivery=delivery)
        assert ending(ack) == (True, "DELIVERED", channel, "TRANSPORT")
        [entry] = system.simulator.received(log)
        assert "Version 3.2 is out" in json.dumps(entry)
        assert url in json.dumps(entry)
        assert "<a href=" in entry["html"]
