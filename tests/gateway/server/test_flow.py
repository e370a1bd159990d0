"""Flow control without a network: who is told, and what is read."""

import asyncio

import pytest

from gateway.server import flow
from gateway.server.flow import QUEUED_BYTES, QUEUED_FRAMES, FlowControl


class Notes:
    """A transport's reading side and a writer, which note what they are told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("stop reading")

    def resumeProducing(self) -> None:
        self.told.append("read")

    def pause(self) -> None:
        self.told.append("pause")

    def resume(self) -> None:
        self.told.append("resume")


@pytest.fixture
def notes() -> Notes:
    return Notes()


RECEIVED = {"type": "websocket.receive", "text": "x"}


def test_a_full_buffer_pauses_who_writes_and_an_empty_one_resumes(notes) -> None:
    control = FlowControl(notes)
    control.follow(notes)
    control.pauseProducing()
    control.pauseProducing()
    assert (control.paused, notes.told) == (True, ["pause"])
    since = control.full_since
    control.pauseProducing()
    assert control.full_since == since  # it has been full since then
    control.resumeProducing()
    assert (control.paused, notes.told) == (False, ["pause", "resume"])


def test_who_comes_when_the_buffer_is_full_is_told_at_once(notes) -> None:
    control = FlowControl(notes)
    control.pauseProducing()
    control.follow(notes)
    assert notes.told == ["pause"]


def test_a_lost_connection_tells_nobody(notes) -> None:
    control = FlowControl(notes)
    control.follow(notes)
    control.stopProducing()
    control.pauseProducing()
    assert notes.told == []


@pytest.mark.parametrize(("size", "count"), [(10, QUEUED_FRAMES + 1), (QUEUED_BYTES // 2 + 1, 2)])
def test_a_socket_is_not_read_while_too_much_waits(notes, size: int, count: int) -> None:
    control = FlowControl(notes)
    for _ in range(count):
        assert not control.behind
        control.queue(size)
    assert (control.behind, notes.told) == (True, ["stop reading"])
    assert control.dequeue(RECEIVED)
    assert (control.behind, notes.told) == (False, ["stop reading", "read"])


async def test_the_application_sees_nothing_of_what_waits_after_a_verdict(notes) -> None:
    control = FlowControl(notes)
    queue: asyncio.Queue[dict] = asyncio.Queue()
    seen: list[str] = []

    async def application(scope, receive, send) -> None:
        while not seen or seen[-1] != "websocket.disconnect":
            seen.append((await receive())["type"])

    queue.put_nowait({"type": "websocket.connect"})
    for _ in range(20):
        control.queue(1)
        queue.put_nowait(RECEIVED)
    control.stop_listening()
    queue.put_nowait({"type": "websocket.disconnect"})
    scope = {"extensions": {flow.EXTENSION: control}}
    await flow.controlled(application)(scope, queue.get, None)
    assert seen == ["websocket.connect", "websocket.disconnect"]
    assert notes.told == ["stop reading"]  # and nobody reads again


async def test_other_servers_queues_are_left_alone() -> None:
    calls = []

    async def application(*given) -> None:
        calls.append(given)

    given = ({"type": "http"}, object(), object())
    await flow.controlled(application)(*given)
    assert calls == [given]


def test_a_flood_is_told_when_it_comes_and_to_who_asks_later(notes) -> None:
    control, told = FlowControl(notes), []
    control.on_flood(lambda: told.append("at once"))
    assert (control.useless, told) == (False, [])
    control.stop_listening()
    assert (control.useless, told) == (True, ["at once"])
    control.on_flood(lambda: told.append("later"))
    assert told == ["at once", "later"]
