"""Runs scenarios: `python -m tests.faults.run [L1 …] --size short --seed 1`. Exit code 0 if all hold."""

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from config.env import ROOT
from notifications.settings import PipelineSettings
from tests.faults.ledger import MUST_BE_NONE, Ledger
from tests.faults.stage import Result, Stage
from tests.faults.system import SIZES, FaultSystem, Size

Play = Callable[[Stage], None]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the release gate. `proxied` names the servers that it needs a proxy before."""

    id: str
    fault: str
    play: Play
    proxied: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    mixed: bool = False  # NORMAL beside CRITICAL, the limits at their defaults, producers that send once


SCENARIOS: dict[str, Scenario] = {}


def scenario(
    identifier: str, fault: str, *, proxied: tuple[str, ...] = (), mixed: bool = False, **environment: str
) -> Callable[[Play], Play]:
    """Register a function as the scenario of a row.

    `mixed`: and of a second one, `<id>m`: NORMAL beside CRITICAL, the limits at their defaults, and some
    producers send once.
    """

    def register(play: Play) -> Play:
        row = Scenario(identifier, fault, play, proxied, tuple(environment.items()))
        SCENARIOS[identifier] = row
        if mixed:
            name = f"{identifier}m"
            SCENARIOS[name] = replace(row, id=name, fault=f"{fault}; NORMAL too, default limits", mixed=True)
        return play

    return register


def perform(chosen: Scenario, system: FaultSystem, *, seed: int) -> Result:
    """Play a scenario on a running system and draw up its ledger."""
    stage = Stage(chosen.id, system, seed=seed, mixed=chosen.mixed)
    for child in system.supervisor.children.values():
        child.ends.clear()
    started = time.monotonic()
    try:
        chosen.play(stage)
        stage.ask_for_finals()
    except Exception as error:  # a fault that cannot be played is a failed row, and the others go on
        traceback.print_exc()
        stage.figure("broke off", f"{type(error).__name__}: {error}", holds=False)
    finally:
        stage.close()
    drawn = stage.ledger()
    _judge_every_row(stage, drawn)
    return Result(
        scenario=chosen.id,
        fault=chosen.fault,
        size=stage.size.name,
        seed=seed,
        events=len(stage.diary.submitted),
        duration_s=round(time.monotonic() - started, 1),
        ledger=drawn.figures(),
        figures=stage.figures,
        examples={
            name: [f"{key} ({drawn.ends.get(key, '')})" for key in getattr(drawn, name)[:5]]
            for name in MUST_BE_NONE
            if getattr(drawn, name)
        },
    )


def _judge_every_row(stage: Stage, drawn: Ledger) -> None:
    """Add the figures that every row has, beside the ledger's own."""
    diary = stage.diary
    answered = diary.acked.keys() | diary.refused.keys()
    sent = diary.submitted - (diary.sent_once - answered)  # who sends once may stay without an answer
    stage.figure(
        "events with an answer", len(answered), limit=f"{len(sent)}", holds=0 < len(answered) == len(sent)
    )
    stage.figure("answers over HTTP", " ".join(f"{k}:{v}" for k, v in sorted(diary.statuses.items())))
    broken = sum(count for status, count in diary.statuses.items() if status in _OUR_FAULT)
    stage.figure("answers 5xx other than 503", broken, limit="0", holds=not broken)
    bound = stage.repeats_at_most
    stage.figure("messages repeated", drawn.repeats, limit=f"≤ {bound}", holds=drawn.repeats <= bound)
    again, bound = drawn.second_finals, stage.second_finals_at_most
    stage.figure("final acks that came again", again, limit=f"≤ {bound}", holds=again <= bound)
    names = " ".join(f"{name}:{count}" for name, count in sorted(drawn.names.items()))
    expected = " ".join(sorted({one.code for one in stage.expected_dead}))
    stage.figure("dead letters by name", names or 0, limit=expected or "0", holds=not drawn.unexplained)


_OUR_FAULT = frozenset(str(status) for status in range(500, 600) if status != 503)


def stand_alone(chosen: Scenario, size: Size, *, seed: int) -> Result:
    """Start a system for one scenario, play it, and stop everything."""
    environment = dict(chosen.environment)
    if chosen.mixed:
        environment["TOCSIN_TELEGRAM_PER_S"] = str(PipelineSettings().telegram_per_s)
    system = FaultSystem(size, proxied=chosen.proxied, **environment).start()
    try:
        return perform(chosen, system, seed=seed)
    finally:
        system.stop()


def table(result: Result) -> str:
    """Return a run's ledger and figures for people."""
    lines = [
        f"{result.scenario}  {result.fault}",
        f"  {result.size}, seed {result.seed}, {result.events:,} events, {result.duration_s:g} s"
        f"  →  {'HOLDS' if result.holds else 'DOES NOT HOLD'}",
        "  " + "  ".join(f"{name} {value:,}" for name, value in result.ledger.items()),
    ]
    for figure in result.figures:
        mark = " " if figure.holds else "✗"
        lines.append(f"  {mark} {figure.name:<44} {figure.value:>12}  {figure.limit}")
    lines += [f"  ✗ {name}: {', '.join(ids)}" for name, ids in result.examples.items()]
    return "\n".join(lines)


def keep(result: Result) -> None:
    """Write the run's JSON where the report finds it."""
    folder = Path(os.environ.get("TOCSIN_CHAOS_RESULTS", ROOT / "var" / "chaos"))
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result.to_json() | {"ended_at": int(time.time())}, indent=1, ensure_ascii=False)
    (folder / f"{result.scenario}-{result.size}.json").write_text(text + "\n")


def main() -> int:
    from tests.faults import scenarios

    scenarios.register()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="SCENARIO", help=f"of {', '.join(SCENARIOS)}")
    parser.add_argument("--size", choices=list(SIZES), default="full")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    wanted = [SCENARIOS[name] for name in options.names] or list(SCENARIOS.values())
    holds = True
    for chosen in wanted:
        result = stand_alone(chosen, SIZES[options.size], seed=options.seed)
        keep(result)
        print(table(result), flush=True)
        holds &= result.holds
    return 0 if holds else 1


if __name__ == "__main__":
    # The scenarios register with the module's own name, not with `__main__`.
    from tests.faults.run import main as run_main

    sys.exit(run_main())
