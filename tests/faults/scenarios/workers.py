"""Workers that die, hang or are stopped."""

import os
import signal
import time

from tests.faults.judging import claims_watched, judge_unknown
from tests.faults.late_doorbells import expire_before_the_send
from tests.faults.ledger import arrivals
from tests.faults.run import scenario
from tests.faults.stage import Stage
from tests.kit.processes import Child


@scenario("L1", "SIGKILL of a random worker every 2 s, its whole tree or its main process alone", mixed=True)
def kill_workers(stage: Stage) -> None:
    """L1 and D1: nothing is lost, and what may have been sent twice says so."""
    kills = 0
    every_s = 2.0 if stage.full else 1.5
    if not stage.full or stage.mixed:  # few events: without sends in flight a kill would prove nothing
        stage.system.simulator.misbehave("telegram", latency_ms=300)
    producer = stage.publish(rate=stage.scaled(250, 60), batch=stage.scaled(20, 5))
    with claims_watched(stage) as uncommitted:
        while not producer.done:
            stage.pause(every_s)
            stage.system.supervisor.kill(
                stage.random.choice(stage.system.workers), whole_tree=stage.random.random() < 0.7
            )
            kills += 1
    stage.struck()
    took_s = stage.settle()
    orphans = stage.system.supervisor.orphans(older_than_s=10)
    stage.figure("workers killed", kills, limit="≥ 2", holds=kills >= 2)
    stage.figure("all ended after the last kill, s", took_s, limit="≤ 90", holds=took_s <= 90)
    count = uncommitted.count
    stage.figure("claims that waited for their commit", count, limit="0", holds=not count)
    stage.figure("processes left over by kills", len(orphans), limit="0", holds=not orphans)
    judge_unknown(stage, kills * stage.sends_in_flight(workers=1))
    expire_before_the_send(stage)


@scenario("D4", "SIGSTOP of a worker past its lease, then SIGCONT")
def pause_past_the_lease(stage: Stage) -> None:
    """One pause between the claim and the send, one between the send and its record."""
    for point in ("claimed_before_send", "sent_before_record"):
        child, stopped_at = _pause_at(point, stage)
        if point == "claimed_before_send":
            late = _sent_late(stage, stopped_at + 1)
            stage.figure("sends after a lease had passed", late, limit="0", holds=not late)
        else:
            refused = child.log_text().count("late_result_refused")
            stage.figure("late writes refused", refused, limit="≥ 1", holds=refused >= 1)
    stage.allow_repeats(_expired(stage))


def _pause_at(point: str, stage: Stage) -> tuple[Child, float]:
    """Pause a worker's child there until its lease has passed. Return the worker, and when it stopped."""
    supervisor = stage.system.supervisor
    stage.system.crash_log.unlink(missing_ok=True)
    # One send at a time: with another in flight in its recorder, either of them could be the late one.
    alone = {"TOCSIN_SLOW_SEND_S": "100"}
    supervisor.restart("worker1", TOCSIN_CRASH=f"{point}:2:stop", TOCSIN_CRASH_AT_MOST="1", **alone)
    stage.system.until_ready()
    child = supervisor.children["worker1"]
    producer = stage.publish(stage.scaled(500, 60), rate=30, batch=1)
    stage.until(lambda: _stopped(stage), within_s=30, what=f"a child stops at {point}")
    # The main process too, or it would end the child by its time limit. Its other child finishes what it has:
    # paused as well, it would be the one whose lease passes.
    child.send(signal.SIGSTOP, whole_tree=False)
    _, _, stopped, at = _stopped(stage)
    known = _expired(stage)
    stage.pause(int(stage.system.environment.get("TOCSIN_LEASE_S", "55")))
    stage.until(lambda: _expired(stage) > known, within_s=30, what="the sweep has taken the rows over")
    before = len(child.log_text())
    os.kill(int(stopped), signal.SIGCONT)
    # It comes to its end of the row, and finds that it is another's.
    refused = lambda: "late_result_refused" in child.log_text()[before:]  # noqa: E731
    stage.until(refused, within_s=10, what="the paused child goes on")
    child.send(signal.SIGCONT)
    stage.struck()
    producer.join(60)
    stage.settle()
    return child, float(at)


def _stopped(stage: Stage) -> list[str]:
    """Return the words of the crash log's line, once it is written whole."""
    log = stage.system.crash_log
    text = log.read_text() if log.exists() else ""
    return text.split() if text.endswith("\n") else []


def _sent_late(stage: Stage, since: float) -> int:
    """Return how many events came twice since then: by the new holder of the row, and by the old one.

    The first message of a send that was in flight at the pause came before it.
    """
    times: dict[str, list[float]] = {}
    for ref, _, at in arrivals(stage.system.written_log(), stage.run):
        times.setdefault(ref, []).append(at)
    return sum(len(came) > 1 and min(came) > since for came in times.values())


def _expired(stage: Stage) -> int:
    return stage.ledger().leases_expired


@scenario("R4", "rolling SIGTERM of every process under load")
def rolling_restart(stage: Stage) -> None:
    """A planned restart costs nothing: no duplicate, no expired lease, no process that has to be killed."""
    clients = stage.open_sockets(stage.scaled(100, 10))
    producer = stage.publish(rate=stage.scaled(150, 25), batch=stage.scaled(20, 5))
    supervisor = stage.system.supervisor
    codes: dict[str, int | None] = {}
    slowest = 0.0
    for name in [*stage.system.workers, "control", "streams", "beat", "web"]:
        stage.pause(1)
        started = time.monotonic()
        child = supervisor.children[name]
        codes[name] = child.stop()
        slowest = max(slowest, time.monotonic() - started)
        supervisor.restart(name)
        stage.until(child.ready, within_s=60, what=f"{name} is back")
    stage.until(stage.system.answers, within_s=60, what="the page answers")
    stage.struck()
    producer.join(600)
    took_s = stage.settle()
    drawn = stage.ledger()
    killed = [name for name, code in codes.items() if code is None]
    stage.figure("processes that had to be killed", ", ".join(killed) or 0, limit="0", holds=not killed)
    stage.figure("slowest stop, s", slowest, limit="< 30", holds=slowest < 30)
    stage.figure("duplicates", len(drawn.duplicated), limit="0", holds=not drawn.duplicated)
    stage.figure("leases that ended", drawn.leases_expired, limit="0", holds=not drawn.leases_expired)
    stage.figure("all ended after the last restart, s", took_s)
    told = sum(frame["type"] == "shutdown" for frame in clients.frames)
    planned = clients.closes.count(1012)
    sockets = stage.scaled(100, 10)
    stage.figure("sockets told of the shutdown", f"{told} of {sockets}", limit="all", holds=told == sockets)
    stage.figure("sockets closed with 1012", f"{planned} of {sockets}", limit="all", holds=planned == sockets)
