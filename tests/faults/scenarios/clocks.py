"""Hosts whose clocks differ: each type of process runs ahead or behind, or its clock is set meanwhile."""

import contextlib
import time
from pathlib import Path

import httpx

from tests.faults.ledger import arrivals
from tests.faults.run import scenario
from tests.faults.stage import Stage
from tests.faults.wrong_clock import clock_file, skewed, stepping, unskewed

_SKEWS_S = (7, -7, 60, -60)
_STEPS_S = (0, 60, -60)
_TOLERANCE_S = 2.0
_STARTS_WITHIN_S = 30
_GIVES_UP_AFTER_S = 15
_CRITICAL = {"priority": "CRITICAL", "channels": ["WEB", "TELEGRAM"]}


@scenario("T1", "the clock of each type of process wrong by 7 and 60 s, and set while it runs")
def wrong_clocks(stage: Stage) -> None:
    """CRITICAL's next channel is in time by the true clock, or the process refuses to start and says why."""
    stage.open_live(10, confirming=False)
    kinds = {name: [name] for name in ("control", "web", "beat", "streams")} | {
        "workers": stage.system.workers
    }
    for kind, names in kinds.items():
        for skew_s in _SKEWS_S if stage.full else _SKEWS_S[:2]:
            _start(stage, names, skewed(skew_s))
            if _refused(stage, names):
                _judge_refusal(stage, f"{kind} {skew_s:+} s", names)
            else:
                _judge_escalation(stage, f"{kind} {skew_s:+} s")
        _start(stage, names, unskewed())
        stage.system.until_ready()
    _step(stage, "control")
    stage.struck()
    stage.settle()
    stage.allow_repeats(len(stage.diary.acked))  # each page has it, and then the next channel


def _start(stage: Stage, names: list[str], environment: dict[str, str]) -> None:
    for name in names:
        stage.system.supervisor.children[name].ends.clear()
        stage.system.supervisor.restart(name, **environment)


def _refused(stage: Stage, names: list[str]) -> bool:
    """Wait until the system is ready, or one of these has ended by itself instead; return the latter."""
    children = [stage.system.supervisor.children[name] for name in names]

    def refused() -> bool:
        return any(child.ends for child in children)

    stage.until(
        lambda: refused() or (all(child.ready() for child in children) and _answers(stage)),
        within_s=_STARTS_WITHIN_S,
        what="it starts or refuses to",
    )
    return refused()


def _answers(stage: Stage) -> bool:
    return _readiness(stage) != "" and all(clients.all_open() for clients in stage.clients)


def _readiness(stage: Stage) -> str:
    """Return what /readyz says, or "" if nobody answers."""
    try:
        return httpx.get(f"{stage.system.url}/readyz", timeout=5, trust_env=False).text
    except httpx.HTTPError:
        return ""


def _judge_refusal(stage: Stage, case: str, names: list[str]) -> None:
    """The process itself says why in its log; /readyz does too, if it is not the one that refuses."""

    def told() -> bool:
        said = _readiness(stage) if names != ["web"] else stage.system.supervisor.children["web"].log_text()
        return "clock" in said.lower()

    with contextlib.suppress(TimeoutError):  # it has just been started again, and its log is empty
        stage.until(told, within_s=_STARTS_WITHIN_S, what="it says why")
    says = "says why" if told() else "silent"
    stage.figure(f"{case}, refuses to start", says, limit="says why", holds=says == "says why")


def _judge_escalation(stage: Stage, case: str) -> None:
    """Nobody confirms: each event is on its next channel at its deadline, by the clock of this process."""
    items = stage.items(stage.scaled(20, 8))
    for number, item in enumerate(items):
        item |= {"user_id": f"p{number % 10}", "delivery": _CRITICAL}
    began = time.time()
    stage.produce(items, batch=4).join(30)
    ids = {item["event_id"] for item in items}
    timeout_s = int(stage.system.environment.get("TOCSIN_ACK_TIMEOUT_MS", "5000")) / 1000
    _wait_until_ended(stage, ids, within_s=timeout_s + _GIVES_UP_AFTER_S)
    acked = stage.diary.acked
    off = [  # it was accepted before its answer came, and after the first was sent
        max(at - acked[ref] - timeout_s, 0) or min(at - began - timeout_s, 0)
        for ref, _, at in arrivals(stage.system.written_log(), stage.run)
        if ref in ids
    ]
    worst = max(off, key=abs, default=float("inf"))
    holds = len(off) == len(ids) and abs(worst) <= _TOLERANCE_S
    stage.figure(f"{case}, furthest from the deadline, s", worst, limit=f"± {_TOLERANCE_S:g}", holds=holds)


def _wait_until_ended(stage: Stage, ids: set[str], *, within_s: float) -> None:
    """Wait until these have ended, or are so late that the row does not hold."""
    sql = "SELECT count(*) FROM notifications_event WHERE event_id = ANY(%s) AND state = 'accepted'"
    with contextlib.suppress(TimeoutError):
        stage.until(
            lambda: not stage.system.query(sql, list(ids))[0][0], within_s=within_s, what="all have ended"
        )


def _step(stage: Stage, name: str) -> None:
    """Set the clock of a process that runs, forth and back."""
    file = clock_file(Path(stage.system.home), 0)
    _start(stage, [name], stepping(file))
    stage.system.until_ready()
    for step_s in _STEPS_S:
        clock_file(Path(stage.system.home), step_s)
        stage.pause(2)  # by then it has read the file
        _judge_escalation(stage, f"{name} set to {step_s:+} s")
    _start(stage, [name], unskewed())
    stage.system.until_ready()
