"""A chat from its link to the person's own word, with every process and the simulated Telegram."""

import asyncio
import uuid
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.kit.eventually import eventually
from tests.kit.raw_websocket import AsyncRawSocket


class Chat:
    """What a person does and sees in their Telegram."""

    def __init__(self, simulator, number: int) -> None:
        self.id = str(number)
        self._simulator = simulator

    def write(self, text: str) -> None:
        self._simulator.person(self.id, "write", text=text)

    def press(self, button: str) -> None:
        self._simulator.person(self.id, "press", button=button)

    def block(self) -> None:
        self._simulator.person(self.id, "block")

    def shown(self) -> list[dict]:
        return [one for one in self._simulator.chat(self.id)["messages"] if one["from"] == "bot"]

    def until(self, text: str) -> dict:
        """Return the latest message of the bot, once it has this text."""
        eventually(lambda: self.shown() and text in self.shown()[-1]["text"], within_s=15, what=text)
        return self.shown()[-1]


@pytest.fixture
def grace(system):
    """A person whom the producer has just brought, with a mailbox."""
    user_id = f"grace-{uuid.uuid4().hex[:8]}"
    mailbox = {"channel": "EMAIL", "address": f"{user_id}@example.org", "verified": True}
    body = {"name": "Grace Hopper", "addresses": [mailbox]}
    system.api.put(f"/users/{user_id}", json=body).raise_for_status()
    return user_id


@pytest.fixture
def chat(system) -> Chat:
    return Chat(system.simulator, 4_000_000_000 + uuid.uuid4().int % 10**9)


def link(system, user_id: str, chat: Chat) -> None:
    answer = system.api.post(f"/users/{user_id}/destinations/telegram/link").raise_for_status()
    [token] = parse_qs(urlsplit(answer.json()["url"]).query)["start"]
    chat.write(f"/start {token}")
    assert chat.until("Link this chat to Grace Hopper?")["buttons"] == ["Link", "Do not link"]
    chat.press("Link")
    assert chat.until("This chat is linked to Grace Hopper.")["buttons"] == []


def test_a_linked_chat_gets_the_event_and_got_it_is_the_persons_word(system, grace, chat) -> None:
    link(system, grace, chat)
    ack = system.publish(user_id=grace)
    assert (ack["status"], ack["delivered_via"], ack["evidence"]) == ("DELIVERED", "TELEGRAM", "TRANSPORT")
    assert chat.until("BTC/USDT")["buttons"] == ["Got it"]
    chat.press("Got it")
    eventually(lambda: system.story(ack["event_id"])["ack"]["evidence"] == "HUMAN", within_s=10)
    message = chat.until("Acknowledged by you at ")
    assert (message["buttons"], message["edited"]) == ([], True)
    assert system.simulator.chat(chat.id)["answers"][-1]["text"] == "Acknowledged."


def test_a_chat_in_which_the_person_just_wrote_is_their_active_session(system, grace, chat) -> None:
    link(system, grace, chat)
    delivery = {"priority": "CRITICAL", "channels": ["ACTIVE_SESSION", "EMAIL"]}
    ack = system.publish(user_id=grace, delivery=delivery)
    assert ack["delivered_via"] == "TELEGRAM"
    only = {"priority": "CRITICAL", "channels": [{"channel": "TELEGRAM", "only_if_active": True}, "EMAIL"]}
    assert system.publish(user_id=grace, delivery=only)["delivered_via"] == "TELEGRAM"


def test_who_blocks_the_bot_gets_their_events_elsewhere_and_hears_of_it(system, grace, chat) -> None:
    link(system, grace, chat)
    chat.block()
    address = f"{grace}@example.org"

    def mails() -> list[str]:
        return [one["subject"] for one in system.simulator.received("smtp") if one["to"] == address]

    eventually(lambda: "You have blocked the bot in Telegram" in mails(), within_s=15)
    assert system.publish(user_id=grace)["delivered_via"] == "EMAIL"


async def test_a_message_shows_that_the_event_was_acknowledged_on_the_page(system) -> None:
    demo = Chat(system.simulator, 100200300)
    ack = await asyncio.to_thread(system.publish)
    assert ack["delivered_via"] == "TELEGRAM"
    with system.signed_in() as person:
        cookies = "; ".join(f"{name}={value}" for name, value in person.cookies.items())
    headers = {"Cookie": cookies, "Origin": system.url}
    socket = await AsyncRawSocket.open(int(system.values["PORT"]), "/ws", headers=headers)
    try:
        await socket.until_ready()
        socket.say(type="acknowledge", event_id=ack["event_id"], source="demo")
        message = await asyncio.to_thread(demo.until, "Acknowledged elsewhere at ")
    finally:
        socket.close()
    assert message["buttons"] == []
