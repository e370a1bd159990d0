"""What comes in: killed ingresses, the same event everywhere at once, and mutated bytes."""

import asyncio
import math
import time

import aiohttp
import redis

from tests.faults.ledger import arrivals
from tests.faults.producers import to_wire
from tests.faults.run import scenario
from tests.faults.stage import Stage


@scenario("L7", "each ingress killed every 3 s, its clients sending again or once", mixed=True)
def kill_ingresses(stage: Stage) -> None:
    """Killed at any time, and the stream's also just before a commit; some commits come late."""
    supervisor = stage.system.supervisor
    supervisor.restart("web", TOCSIN_CRASH="accept_before_commit:0.1:pause=0.3", TOCSIN_CRASH_SEED="5")
    supervisor.restart("streams", TOCSIN_CRASH="accept_before_commit:2")
    stage.system.until_ready()
    http = stage.publish(stage.scaled(15_000, 200), rate=stage.scaled(150, 25), batch=stage.scaled(20, 5))
    stream = stage.publish_to_stream(stage.scaled(4_000, 60), rate=stage.scaled(40, 8))
    once = stage.publish_to_stream(stage.scaled(1_000, 40), rate=stage.scaled(10, 4), resend_s=math.inf)
    killed_at: list[float] = []
    while not (http.done and stream.done and once.done) and len(killed_at) < stage.scaled(400, 30):
        stage.pause(3)
        for name in ("web", "streams"):
            if supervisor.children[name].ready():
                killed_at.append(time.time())
                supervisor.kill(name)
    stage.struck()
    took_s = stage.settle()
    kills, ends = len(killed_at), len(supervisor.children["streams"].ends)
    stage.allow_second_finals(ends * _REPLIES)
    waited = _waited_for_the_sweep(stage, killed_at)
    stage.figure("ingresses killed", kills, limit="≥ 2", holds=kills >= 2)
    stage.figure("ends of the stream's before a commit or by a kill", ends, limit="≥ 2", holds=ends >= 2)
    stage.figure("all ended after the last kill, s", took_s, limit="≤ 120", holds=took_s <= 120)
    stage.figure("answered again as duplicates", stage.diary.acks["duplicate"])
    stage.figure("sent once to the stream, all answered", once.done, limit="True", holds=once.done)
    stage.figure("doorbells that came to nothing, no kill near", waited, limit="0", holds=not waited)


_REPLIES = 20  # final acks of one pass of the reply streams
_SWEEP_VISITS_S = 4.0  # a row whose doorbell came is sent long before the sweep looks at it
_NEAR_S = 2.0


def _waited_for_the_sweep(stage: Stage, killed_at: list[float]) -> int:
    """Return how many events waited for the sweep, although nobody was killed about their acceptance."""
    first: dict[str, float] = {}
    for ref, _, at in arrivals(stage.system.written_log(), stage.run):
        first.setdefault(ref, at)
    quiet = {
        ref: acked
        for ref, acked in stage.diary.acked.items()
        if ref not in stage.diary.reads_finals and all(abs(acked - at) > _NEAR_S for at in killed_at)
    }
    return sum(first.get(ref, math.inf) - acked > _SWEEP_VISITS_S for ref, acked in quiet.items())


@scenario("D2", "one event 100 times at once over all ingresses, and one with other content")
def same_event_everywhere(stage: Stage) -> None:
    rounds = stage.scaled(50, 25)
    firsts = duplicates = conflicts = 0
    for _ in range(rounds):
        item = stage.items(1)[0]
        answers = asyncio.run(_at_once(stage, item))
        firsts += sum(not ack.get("duplicate") for ack in answers if ack.get("seq"))
        duplicates += sum(bool(ack.get("duplicate")) for ack in answers if ack.get("seq"))
        other = item | {"payload": item["payload"] | {"symbol": "ETH/USDT"}}
        conflict = asyncio.run(_post(stage, other, 1))[0]
        conflicts += conflict.get("code") == "conflict"
    stage.struck()
    stage.until(lambda: _pending(stage) == 0, within_s=20, what="the stream is read")
    stage.settle()
    stored = stage.system.query(
        "SELECT count(*) FROM notifications_event WHERE event_id LIKE %s", f"{stage.run}-%"
    )[0][0]
    again = stage.ledger().duplicated
    stage.figure("stored events", stored, limit=f"{rounds}", holds=stored == rounds)
    stage.figure("accepted first, over HTTP", firsts, limit=f"≤ {rounds}", holds=firsts <= rounds)
    # Half of each hundred goes over HTTP; the stream takes the first place or the HTTP side does.
    stage.figure(
        "duplicates over HTTP", duplicates, limit=f"≥ {49 * rounds}", holds=duplicates >= 49 * rounds
    )
    stage.figure("conflicts for other content", conflicts, limit=f"{rounds}", holds=conflicts == rounds)
    stage.figure("messages sent twice", len(again), limit="0", holds=not again)


async def _at_once(stage: Stage, item: dict) -> list[dict]:
    """Send it 50 times over HTTP and 50 times over the stream, all at the same moment."""

    def to_stream() -> None:
        client = redis.Redis.from_url(stage.system.valkey.url)
        pipe = client.pipeline(transaction=False)
        for _ in range(50):
            pipe.xadd("tocsin:events", {"e": to_wire(item)})
        pipe.execute()
        client.close()

    answers, _ = await asyncio.gather(_post(stage, item, 50), asyncio.to_thread(to_stream))
    return answers


async def _post(stage: Stage, item: dict, times: int) -> list[dict]:
    headers = {"Authorization": f"Bearer {stage.system.api_key}"}
    stage.diary.submitted.add(item["event_id"])
    async with aiohttp.ClientSession(headers=headers) as session:

        async def one() -> dict:
            async with session.post(f"{stage.system.url}/api/v1/events", json=item) as answer:
                stage.diary.statuses[str(answer.status)] += 1
                return await answer.json(content_type=None)

        answers = await asyncio.gather(*(one() for _ in range(times)))
    for ack in answers:
        if ack.get("seq"):
            stage.diary.promise(ack["event_id"], kind="duplicate" if ack.get("duplicate") else "first")
    return answers


def _pending(stage: Stage) -> int:
    client = stage.system.redis()
    try:
        return int(client.xlen("tocsin:events"))
    finally:
        client.close()


@scenario("I2", "mutated protobufs over every ingress")
def mutated_bytes(stage: Stage) -> None:
    """Bytes are flipped, cut, doubled; each is quarantined, refused or accepted by rule."""
    count = stage.scaled(10_000, 400)
    client = stage.system.redis()
    before = stage.system.query("SELECT count(*) FROM notifications_quarantine")[0][0]
    # Names of their own: a mutant that is still a good event may have lost its id on the way.
    mutants = [
        _mutated(stage, to_wire(item | {"event_id": f"mutant-{number}", "payload": {"ref": number}}))
        for number, item in enumerate(stage.items(count))
    ]
    pipe = client.pipeline(transaction=False)
    for mutant in mutants:
        pipe.xadd("tocsin:events", {"e": mutant})
    pipe.execute()
    statuses = asyncio.run(_post_bytes(stage, mutants))
    stage.until(lambda: client.xlen("tocsin:events") == 0, within_s=120, what="the stream is read")
    good = stage.publish_to_stream(1)
    started = time.monotonic()
    stage.until(lambda: good.done, within_s=20, what="the next good one is acknowledged")
    next_good_s = time.monotonic() - started
    stage.struck()
    client.close()
    stage.settle()
    quarantined = stage.system.query("SELECT count(*) FROM notifications_quarantine")[0][0] - before
    broken = sum(count for status, count in statuses.items() if status >= 500)
    died = {name: stage.system.supervisor.children[name].ends for name in ("web", "streams")}
    stage.figure("mutants over each ingress", count)
    stage.figure("quarantined from the stream", quarantined, limit="≥ 1", holds=quarantined >= 1)
    stage.figure("answers 5xx", broken, limit="0", holds=not broken)
    stage.figure("the next good one, s", next_good_s, limit="< 1", holds=next_good_s < 1)
    ended = {name: ends for name, ends in died.items() if ends}
    stage.figure("ingresses that ended", str(ended or 0), limit="0", holds=not ended)


def _mutated(stage: Stage, data: bytes) -> bytes:
    draw, body = stage.random, bytearray(data)
    kind = draw.randrange(4)
    if kind == 0:
        for _ in range(draw.randint(1, 5)):
            body[draw.randrange(len(body))] = draw.randrange(256)
    elif kind == 1:
        del body[draw.randrange(len(body)) :]
    elif kind == 2:
        at = draw.randrange(len(body))
        body[at:at] = draw.randbytes(draw.randint(1, 40))
    else:
        body = bytearray(draw.randbytes(draw.randint(0, 300)))
    return bytes(body)


async def _post_bytes(stage: Stage, mutants: list[bytes]) -> dict[int, int]:
    headers = {
        "Authorization": f"Bearer {stage.system.api_key}",
        "Content-Type": "application/x-protobuf",
    }
    statuses: dict[int, int] = {}
    slots = asyncio.Semaphore(16)
    async with aiohttp.ClientSession(headers=headers) as session:

        async def one(body: bytes) -> None:
            async with slots, session.post(f"{stage.system.url}/api/v1/events", data=body) as answer:
                statuses[answer.status] = statuses.get(answer.status, 0) + 1
                await answer.read()

        await asyncio.gather(*(one(body) for body in mutants))
    return statuses
