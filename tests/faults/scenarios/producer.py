"""The producer itself dies: one with the Python client and its journal."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from config.env import ROOT
from tests.faults.prepare import SOURCE
from tests.faults.run import scenario
from tests.faults.stage import Stage

# Part, its call, and whether it dies before or after it. Before the call that follows is after this one.
_STEPS = (
    ("journal", "add", "before"),  # nothing is written
    ("journal", "add", "after"),  # written, and not on the disk
    ("journal", "wait", "after"),  # on the disk, and `publish` has not returned
    ("transport", "send", "before"),
    ("transport", "send", "after"),  # sent, and its answer not recorded
    ("journal", "change", "before"),
    ("journal", "change", "after"),  # recorded, and nobody told
    ("journal", "told", "before"),  # `on_ack` has had it, and that is not noted
    ("journal", "told", "after"),
    ("transport", "receive", "after"),  # of a stream: read, and not recorded
    ("transport", "received", "before"),  # recorded, and not acknowledged
    ("any", "moment", ""),
)
_ONLY_OF_STREAMS = {"receive", "received"}


@dataclass(slots=True)
class Case:
    """One producer: what it publishes where, and how it dies."""

    name: str
    step: tuple[str, str, str]
    target: dict[str, str]
    items: list[dict]
    folder: Path
    kills: int = 0
    seconds: list[float] = field(default_factory=list)  # of life, for a death at any moment
    numbers: list[int] = field(default_factory=list)  # of the call at which it dies

    def lines(self, name: str) -> list[list[str]]:
        return [line.split() for line in (self.folder / name).read_text().splitlines()]


@scenario("K1", "a producer with a journal killed at every step")
def kill_the_producer(stage: Stage) -> None:
    cases = _cases(stage)
    with ThreadPoolExecutor(max_workers=2) as together:
        ended = list(together.map(_run, cases))
    stage.struck()
    for case in cases:
        _note(stage, case)
    took_s = stage.settle()
    least = min(case.kills for case in cases)
    told = sum(len(case.lines("finals")) for case in cases)
    stage.figure("producers killed", sum(case.kills for case in cases))
    stage.figure("kills at each step", least, limit="≥ 1", holds=least >= 1)
    stage.figure("producers that had all final acks", sum(ended), limit=f"{len(cases)}", holds=all(ended))
    stage.figure("final acks that on_ack had again", told - len(stage.diary.finals))
    stage.figure("all ended after the last kill, s", took_s)


@scenario("L7c", "each ingress killed every 3 s, its producers with the Python client and its journal")
def kill_ingresses_of_clients(stage: Stage) -> None:
    supervisor = stage.system.supervisor
    counts = (stage.scaled(14_000, 150), stage.scaled(6_000, 90))
    cases = [
        _case(stage, ("none", "killed", ""), target, count)
        for target, count in zip(_targets(stage), counts, strict=True)
    ]
    with ThreadPoolExecutor(max_workers=2) as together:
        running = [together.submit(_live, case, None) for case in cases]
        kills = 0
        while not all(one.done() for one in running) and kills < stage.scaled(400, 8):
            stage.pause(3)
            for name in ("web", "streams"):
                if supervisor.children[name].ready():
                    kills += 1
                    supervisor.kill(name)
        codes = [one.result() for one in running]
    stage.struck()
    for case in cases:
        _note(stage, case)
    took_s = stage.settle()
    stage.figure("ingresses killed", kills, limit="≥ 2", holds=kills >= 2)
    stage.figure("producers that had all final acks", codes.count(0), limit="2", holds=not any(codes))
    stage.figure("all ended after the last kill, s", took_s, limit="≤ 120", holds=took_s <= 120)


def _targets(stage: Stage) -> tuple[dict[str, str], dict[str, str]]:
    """Return where a client publishes over HTTP, and over the stream."""
    system = stage.system
    http = {"url": system.url, "key": system.api_key}
    return http, {"url": system.valkey.url, "source": SOURCE}


def _cases(stage: Stage) -> list[Case]:
    """Return a producer for each step and transport; in the short size they take turns."""
    http, streams = _targets(stage)
    wanted = []
    for number, step in enumerate(_STEPS):
        both = [streams] if step[1] in _ONLY_OF_STREAMS else [http, streams]
        wanted += [(step, target) for target in (both if stage.full else both[number % len(both) :][:1])]
    each = -(-stage.scaled(20_000, 240) // len(wanted))
    return [_case(stage, step, target, each) for step, target in wanted]


def _case(stage: Stage, step: tuple[str, str, str], target: dict[str, str], count: int) -> Case:
    name = "-".join((target["url"].split(":")[0], *step)).strip("-")
    folder = stage.system.home / "producers" / name
    folder.mkdir(parents=True)
    for notes in ("promised", "finals"):
        (folder / notes).touch()
    case = Case(name, step, target | {"journal": str(folder / "journal")}, stage.items(count), folder)
    times = stage.scaled(10, 1)
    often = step[1] in {"add", "wait"}  # once for each event; the others for each batch
    case.numbers = [stage.random.randint(1, count // (2 * times) if often else 3) for _ in range(times)]
    case.seconds = [stage.random.uniform(0.3, 1.5) for _ in range(times)]
    stage.diary.submitted.update(item["event_id"] for item in case.items)
    return case


def _run(case: Case) -> bool:
    """Let it die as often as planned, and then live; return whether it ended with every final ack."""
    part, name, when = case.step
    for number, seconds in zip(case.numbers, case.seconds, strict=True):
        at_a_call = part != "any"
        step = {"part": part, "name": name, "when": when, "number": number} if at_a_call else None
        code = _live(case, step, kill_after_s=None if at_a_call else seconds)
        case.kills += code == -signal.SIGKILL
    return _live(case, None) == 0


def _live(case: Case, step: dict | None, kill_after_s: float | None = None) -> int:
    """Run the producer once; return its exit code."""
    paths = {name: str(case.folder / name) for name in ("promised", "finals")}
    plan = case.folder / "plan.json"
    plan.write_text(json.dumps({"target": case.target, "items": case.items, "step": step} | paths))
    environment = os.environ | {"PYTHONPATH": str(ROOT / "clients/python/src")}
    with (case.folder / "output").open("ab") as output:
        command = [sys.executable, "-m", "tests.faults.journal_process", str(plan)]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        if kill_after_s is not None:
            time.sleep(kill_after_s)
            process.kill()
        return process.wait()


def _note(stage: Stage, case: Case) -> None:
    """Write what it was promised, and the final acks that it had, into the diary."""
    diary = stage.diary
    for (event_id,) in case.lines("promised"):
        diary.promise(event_id, kind="first")
        diary.reads_finals.add(event_id)
    diary.finals.update({event_id for event_id, *_ in case.lines("finals")})
