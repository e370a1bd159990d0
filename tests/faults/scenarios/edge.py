"""The edge under attack: refusals, the end of sign-ins, access to other persons' events, malformed input."""

import asyncio
import random
import time

from tests.faults import edge
from tests.faults.edge import call, canary, judge_calm, judge_secrets, port_of, published
from tests.faults.garbage import garbled_bytes, malformed_frame
from tests.faults.refusals import Attempt, attempts, crowds
from tests.faults.run import scenario
from tests.faults.stage import Stage
from tests.kit.raw_websocket import BINARY, AsyncRawSocket, Refused, client_frame
from tests.kit.sign_in import token_for

_QUICK = {"TOCSIN_SOCKETS_PER_ADDRESS": "50", "TOCSIN_TICKET_S": "3", "TOCSIN_ACCEPT_WAIT_S": "1"}


@scenario("A1", "sockets that must be refused", **_QUICK)
def refusals(stage: Stage) -> None:
    """Every refused client gets a code, learns nothing, and does not disturb the others."""
    secret = canary("payload")
    published(stage, "p0", 3, secret=secret)
    todo = attempts(stage)
    rounds = stage.scaled(20, 2)
    results = asyncio.run(_tried(stage, todo * rounds))
    wrong = sorted({f"{one.name}: {got}" for one, got, _ in results if got not in one.expected})
    leaks = [str(frame) for _, _, heard in results for frame in heard if frame["type"] != "error"]
    stage.figure("refusals tried", len(results))
    stage.figure("not refused as they should be", "; ".join(wrong) or 0, limit="0", holds=not wrong)
    stage.figure("frames but errors to the refused", len(leaks), limit="0", holds=not leaks)
    for name, held in asyncio.run(crowds(stage)).items():
        stage.figure(name, "refused" if held else "let in", limit="refused", holds=held)
    sent = [value for one in todo for value in one.secrets]
    answers = [str(frame) for _, _, heard in results for frame in heard]
    judge_secrets(stage, [secret, *sent], answers)
    judge_calm(stage)
    stage.settle()


async def _tried(stage: Stage, todo: list[Attempt]) -> list[tuple[Attempt, tuple, list[dict]]]:
    """Make the attempts, some at a time, from many addresses: the limits are tested separately."""
    gate = asyncio.Semaphore(30)

    async def one(number: int, attempt: Attempt) -> tuple[Attempt, tuple, list[dict]]:
        async with gate:
            return attempt, *await attempt.make(port_of(stage), f"127.0.1.{number % 200 + 1}")

    return await asyncio.gather(*(one(number, attempt) for number, attempt in enumerate(todo)))


@scenario("A2", "sign-ins that expire or are revoked")
def endings(stage: Stage) -> None:
    """Each socket is closed with 4001 in its time, and those of others stay."""
    published(stage, "p0", 2)
    each = stage.scaled(100, 5)
    late, renewed = asyncio.run(_expire(stage, each))
    stage.figure("closed after exp, at most s", late, limit="≤ 2", holds=late <= 2)
    stage.figure("renewed in time and still open", renewed, limit=str(each), holds=renewed == each)
    for name, took_s, others in asyncio.run(_revoked(stage)):
        stage.figure(f"closed after {name}, s", took_s, limit="≤ 60", holds=took_s <= 60)
        stage.figure(f"others after {name}", others, limit="open", holds=others == "open")
    judge_calm(stage)
    stage.settle()


async def _expire(stage: Stage, each: int) -> tuple[float, int]:
    port, ends = port_of(stage), int(time.time()) + 8
    short = [await AsyncRawSocket.signed_in(port, token_for(f"p{n % 40}", exp=ends)) for n in range(each)]
    kept = [await AsyncRawSocket.signed_in(port, token_for(f"p{n % 40}", exp=ends)) for n in range(each)]
    for number, raw in enumerate(kept):
        raw.say(type="auth", token=token_for(f"p{number % 40}"))
    answers = [await raw.until("auth.renewed") for raw in kept]

    async def lateness(raw: AsyncRawSocket) -> float:
        code = await raw.until_closed(30)
        return time.time() - ends if code == 4001 else float("inf")

    late = max(await asyncio.gather(*map(lateness, short)))
    open_still = [raw for raw, answer in zip(kept, answers, strict=True) if answer and await _answers(raw)]
    for raw in kept:
        raw.cut()
    return late, len(open_still)


async def _answers(raw: AsyncRawSocket) -> bool:
    raw.say(type="ping")
    return await raw.until("pong") is not None


async def _revoked(stage: Stage) -> list[tuple[str, float, str]]:
    """Revoke in every way; those that only Postgres knows of are found by the look-up of record."""
    port, results = port_of(stage), []
    admin = edge.key(stage, "admin")
    [session] = edge.sessions(stage, "p11")
    users, sessions = "UPDATE users_user SET", "DELETE FROM django_session WHERE session_key = %s"
    ways = {
        "deactivation, found by itself": (
            "p10",
            (f"{users} is_active = false WHERE external_id = %s", "p10"),
        ),
        "a session that is gone, found by itself": ("p11", (sessions, session)),
        "revoke": ("p12", None),
    }
    other = await AsyncRawSocket.signed_in(port, token_for("p13"))
    for name, (person, sql) in ways.items():
        if person == "p11":
            headers = {"Cookie": f"sessionid={session}", "Origin": stage.system.url}
            raw = await AsyncRawSocket.open(port, "/ws", headers=headers)
            await raw.until("ready")
        else:
            raw = await AsyncRawSocket.signed_in(port, token_for(person))
        began = time.monotonic()
        if sql is None:
            await asyncio.to_thread(call, stage, "POST", f"/users/{person}/revoke", admin)
        else:
            await asyncio.to_thread(_execute, stage, *sql)
        code = await _closed_beside(raw, other)
        took_s = time.monotonic() - began if code == 4001 else float("inf")
        results.append((name, took_s, "open" if await _answers(other) else "closed"))
    _execute(stage, f"{users} is_active = true WHERE external_id = %s", "p10")
    other.cut()
    return results


async def _closed_beside(raw: AsyncRawSocket, other: AsyncRawSocket) -> int:
    """Wait for a socket's close code while the other one answers its pings, as clients do."""
    closed = asyncio.ensure_future(raw.until_closed(90))
    while not closed.done():
        await _answers(other)
        await asyncio.wait({closed}, timeout=5)
    return closed.result()


def _execute(stage: Stage, sql: str, *values: object) -> None:
    import psycopg

    with psycopg.connect(stage.system.postgres.url(), connect_timeout=5) as connection:
        connection.execute(sql, values)


@scenario("A4", "one person on another person's things")
def foreign_things(stage: Stage) -> None:
    """No event of another person is changed or disclosed."""
    secret = canary("payload")
    ids = published(stage, "p1", stage.scaled(200, 10), secret=secret)
    before = _marks(stage)
    answers = asyncio.run(_meddle(stage, ids))
    for method, path, body in (
        ("GET", "/users/p1/inbox", None),
        ("GET", "/users/p1/reachability", None),
        ("POST", "/users/p1/revoke", None),
        ("GET", "/users/p1/topics", None),
        ("PUT", "/users/p1/topics/drill.topic", None),
        ("DELETE", "/users/p1/topics/drill.topic", None),
        ("POST", "/tickets", {"user_id": "p1"}),
        *(("GET", f"/events/{event_id}", None) for event_id in ids[:5]),
        ("GET", "/events", None),
        ("POST", "/events/replay", {"filter": {}}),
    ):
        answer = call(stage, method, path, token_for("p0"), **({"json": body} if body else {}))
        refused = answer.status_code in {401, 403, 404}
        stage.figure(
            f"{method} {path.replace(stage.run, '…')}", answer.status_code, limit="4xx", holds=refused
        )
        answers.append(answer.text)
    mine = call(stage, "GET", "/users/me/inbox", token_for("p0")).text
    changed = _marks(stage) != before
    stage.figure("another person's rows changed", changed, limit="False", holds=not changed)
    judge_secrets(stage, [secret], [*answers, mine])
    judge_calm(stage)
    stage.settle()


def _marks(stage: Stage) -> list[tuple]:
    """Return what a client can change of the events of this run."""
    return stage.system.query(
        "SELECT event_id, evidence IN ('client', 'human'), confirmed_at, seen_at, read_at, archived_at"
        " FROM notifications_event WHERE event_id LIKE %s ORDER BY event_id",
        f"{stage.run}-%",
    )


async def _meddle(stage: Stage, ids: list[str]) -> list[str]:
    """Try on another person's events all that a socket can do; return what was received."""
    port = port_of(stage)
    owner = await AsyncRawSocket.signed_in(port, token_for("p1"))
    raw = await AsyncRawSocket.signed_in(port, token_for("p0"))
    for kind in ("ack", "seen", "read", "archive"):
        raw.say(type=kind, event_ids=ids[:500])
    for event_id in ids[:5]:
        raw.say(type="acknowledge", event_id=event_id)
    raw.say(type="subscribe", topics=[f"user.{edge.person_of(stage, 'p1')}", "user.*", "*"])
    await _answers(raw)
    position = owner.received[0]
    resumed = await AsyncRawSocket.open(port)
    resume = {"seq": 0, "epoch": position["epoch"]}
    resumed.say(type="auth", token=token_for("p0"), resume=resume)
    await resumed.until("ready")
    await _answers(resumed)
    for one in (raw, resumed, owner):
        one.cut()
    return [str(frame) for one in (raw, resumed) for frame in one.received]


@scenario("I1", "malformed frames and malformed bytes", TOCSIN_SOCKETS_PER_PERSON="40")
def malformed(stage: Stage) -> None:
    """No crash, no traceback, and another client is not affected."""
    count, secret = stage.scaled(10_000, 300), canary("token")
    published(stage, "p0", 2)
    dice = random.Random(stage.random.randrange(2**32))
    sent, unanswered, slowest = asyncio.run(_flood(stage, dice, count, secret))
    stage.figure("malformed frames and bytes sent", sent, limit=f"≥ {count}", holds=sent >= count)
    stage.figure("pings of a neighbour without an answer", unanswered, limit="0", holds=not unanswered)
    stage.figure("slowest of its answers, s", slowest, limit="≤ 2", holds=slowest <= 2)
    judge_secrets(stage, [secret], [])
    judge_calm(stage)
    stage.settle()


async def _flood(stage: Stage, dice: random.Random, count: int, secret: str) -> tuple[int, int, float]:
    port, each, done = port_of(stage), 20, asyncio.Event()
    neighbour = asyncio.create_task(_neighbour(await AsyncRawSocket.signed_in(port, token_for("p2")), done))
    sent = 0

    async def one(number: int) -> int:
        person, source = f"p{3 + number % 30}", f"127.0.2.{number % 200 + 1}"
        try:
            if number % 3:
                raw = await AsyncRawSocket.signed_in(port, token_for(person), source=source)
                for _ in range(each):
                    data = malformed_frame(dice, secret)
                    raw.write(client_frame(data, BINARY if dice.random() < 0.1 else 1))
            else:
                raw = await AsyncRawSocket.open(port, source=source)
                raw.write(b"".join(garbled_bytes(dice, secret) for _ in range(each)))
            await raw.drained()
            raw.say(type="ping")
            await raw.until("pong", 20)
            raw.cut()
        except (Refused, OSError, TimeoutError):
            return 0  # busy at that moment: another one comes
        return each

    number = 0
    while sent < count and number < 4 * count // each + 20:
        sent += sum(await asyncio.gather(*(one(number + extra) for extra in range(10))))
        number += 10
    done.set()
    return sent, *await neighbour


async def _neighbour(raw: AsyncRawSocket, done: asyncio.Event) -> tuple[int, float]:
    """Ping all the while; return how many went unanswered, and how long the slowest answer took."""
    unanswered, slowest = 0, 0.0
    while not done.is_set():
        began = time.monotonic()
        raw.say(type="ping")
        try:
            unanswered += await raw.until("pong", 10) is None
        except TimeoutError:
            unanswered += 1
        slowest = max(slowest, time.monotonic() - began)
        if raw.closed is not None:
            break
        await asyncio.sleep(0.2)
    raw.cut()
    return unanswered, slowest
