"""Two sources that use the same event ids for one person: what is said of one never counts for the other."""

import asyncio
from collections import Counter

import httpx

from tests.faults import edge
from tests.faults.run import scenario
from tests.faults.stage import Stage
from tests.kit.raw_websocket import AsyncRawSocket
from tests.kit.sign_in import token_for

SECOND = "second"
_BATCH = 500
_AT_ONCE = 20  # sockets that sign in; a gateway lets 100 wait to
# What the person's client says of the second source's event, and what has to follow for that event alone:
# its evidence, and whether it is read. An id alone names neither event.
_SAYS = {
    "ack by source": ({"type": "ack", "source": SECOND}, ("client", False)),
    "ack by seq": ({"type": "ack"}, ("client", False)),
    "acknowledge": ({"type": "acknowledge", "source": SECOND}, ("human", True)),
    "read": ({"type": "read", "source": SECOND}, ("", True)),
    "an id alone": ({"type": "ack"}, ("", False)),
}
_STATES = """
SELECT e.event_id, s.name, e.evidence, e.read_at IS NOT NULL
FROM notifications_event e JOIN users_source s ON s.id = e.source_id WHERE e.event_id LIKE %s
"""


@scenario("F5", "two sources, the same event ids, one person")
def same_ids(stage: Stage) -> None:
    persons, each = stage.scaled(200, 10), stage.scaled(25, 10)  # of two sources: no window is full
    watching = stage.open_live(persons, confirming=False)
    items = stage.items(persons * each)
    for number, item in enumerate(items):
        delivery = {"priority": "CRITICAL", "channels": ["WEB"]}
        item |= {"user_id": f"p{number % persons}", "delivery": delivery, "ack_timeout_ms": 300_000}
    stage.produce(items, batch=stage.scaled(100, 20))
    _publish_as_second(stage, items)
    for producer in stage.producers:
        producer.join(300)
    said = {
        item["event_id"]: list(_SAYS)[number // persons % len(_SAYS)] for number, item in enumerate(items)
    }
    shown = asyncio.run(_say_all(stage, persons, said))
    _judge(stage, said)
    stage.figure(
        "events that a client saw of two", shown, limit=f"{2 * len(items)}", holds=shown == 2 * len(items)
    )
    asyncio.run(_confirm_all(stage, persons))
    stage.struck()
    stage.settle()
    lists = [log.sequence for log in watching.logs.values()]
    gapless = sum(seqs == list(range(seqs[0], seqs[0] + 2 * each)) for seqs in lists if seqs)
    stage.figure("clients with one sequence of both", gapless, limit=f"{persons}", holds=gapless == persons)


def _publish_as_second(stage: Stage, items: list[dict]) -> None:
    """Publish other events under the same ids, as another source."""
    headers = {"Authorization": f"Bearer {edge.key(stage, 'publish', f'--source={SECOND}')}"}
    others = [item | {"payload": {"of": SECOND}} for item in items]
    statuses: Counter[str] = Counter()
    with httpx.Client(base_url=stage.system.url, headers=headers, timeout=30, trust_env=False) as client:
        for start in range(0, len(others), _BATCH):
            answer = client.post("/api/v1/events/batch", json={"events": others[start : start + _BATCH]})
            statuses.update(ack["status"] for ack in answer.json()["acks"])
    accepted = statuses["QUEUED"]
    stage.figure("events of the second source", accepted, limit=f"{len(items)}", holds=accepted == len(items))


async def _say_all(stage: Stage, persons: int, said: dict[str, str]) -> int:
    """Resume from the beginning as each person, and say what is to be said. Return how many events came."""
    few = asyncio.Semaphore(_AT_ONCE)

    async def say(person: str) -> int:
        async with few:
            return await _say(stage, person, said)

    return sum(await asyncio.gather(*(say(f"p{number}") for number in range(persons))))


async def _say(stage: Stage, person: str, said: dict[str, str]) -> int:
    frames = await _resumed(stage, person)
    shown = {(frame["source"], frame["event_id"]): frame for frame in frames if frame["event_id"] in said}
    raw = await AsyncRawSocket.signed_in(stage.system.port, token_for(person))
    for (source, event_id), frame in shown.items():
        if source == SECOND:
            raw.say(**_named(said[event_id], frame))
            await _answer(raw)
    raw.cut()
    return len(shown)


def _named(what: str, frame: dict) -> dict:
    """Return the frame of `_SAYS` with the name of the event in it."""
    says = _SAYS[what][0]
    if what == "ack by seq":
        return says | {"seqs": [frame["seq"]]}
    if what == "acknowledge":
        return says | {"event_id": frame["event_id"]}
    return says | {"event_ids": [frame["event_id"]]}


async def _resumed(stage: Stage, person: str) -> list[dict]:
    """Return every event of the person's sequence, as a client that resumes receives it."""
    port, token = stage.system.port, token_for(person)
    first = await AsyncRawSocket.signed_in(port, token)
    assert first.ready is not None
    end, epoch = first.ready["seq"], first.ready["epoch"]
    first.cut()
    frames: list[dict] = []
    while not frames or frames[-1]["seq"] < end:
        resume = {"seq": frames[-1]["seq"] if frames else 0, "epoch": epoch}
        raw = await AsyncRawSocket.signed_in(port, token, resume=resume)
        await _answer(raw)
        frames += [frame for frame in raw.received if frame["type"] == "event"]
        raw.cut()
    return frames


async def _answer(raw: AsyncRawSocket) -> None:
    raw.say(type="ping")
    await raw.until("pong")


def _judge(stage: Stage, said: dict[str, str]) -> None:
    """Hold every event against what was said of it; nothing was said of the first source's."""
    wrong: Counter[str] = Counter()
    for event_id, source, *found in stage.system.query(_STATES, f"{stage.run}-%"):
        expected = _SAYS[said[event_id]][1] if source == SECOND else ("", False)
        wrong[source] += tuple(found) != expected
    crossed, missed = sum(wrong.values()) - wrong[SECOND], wrong[SECOND]
    stage.figure("events that another source's confirmation touched", crossed, limit="0", holds=not crossed)
    stage.figure("confirmations without their effect", missed, limit="0", holds=not missed)


async def _confirm_all(stage: Stage, persons: int) -> None:
    for number in range(persons):
        raw = await AsyncRawSocket.signed_in(stage.system.port, token_for(f"p{number}"))
        assert raw.ready is not None
        seqs = range(1, raw.ready["seq"] + 1)
        for start in range(0, len(seqs), _BATCH):
            raw.say(type="ack", seqs=list(seqs[start : start + _BATCH]))
        await _answer(raw)
        raw.cut()
