"""`python -m tests.faults.report`: docs/guarantee.md from what the runs of rows and mutants have kept.

The newest run of each scenario and each mutant goes to docs/guarantee.json, and the page is made from that
alone.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from config.env import ROOT

DATA, PAGE = ROOT / "docs" / "guarantee.json", ROOT / "docs" / "guarantee.md"
_COLUMNS = (
    "acknowledged",
    "received",
    "lost",
    "undelivered",
    "unexpected",
    "stuck",
    "dead_letters",
    "unexplained",
    "late",
    "repeats",
    "unflagged",
    "finals",
    "unanswered",
    "answered_twice",
    "overtaken",
    "stale_after_newer",
    "recovered",
)


def newest() -> dict[str, dict[str, dict]]:
    """Return what is kept: of every scenario, and of every mutant."""
    kept: dict[str, dict[str, dict]] = json.loads(DATA.read_text()) if DATA.exists() else {}
    rows, mutants = kept.get("rows", {}), kept.get("mutants", {})
    for run in _found("TOCSIN_CHAOS_RESULTS", "chaos"):
        if run["scenario"] not in rows or _rank(run) >= _rank(rows[run["scenario"]]):
            rows[run["scenario"]] = run
    for trial in _found("TOCSIN_MUTANT_RESULTS", "chaos-mutants"):
        if trial["ended_at"] >= mutants.get(trial["name"], trial)["ended_at"]:
            mutants[trial["name"]] = trial
    return {"rows": dict(sorted(rows.items())), "mutants": dict(sorted(mutants.items()))}


def _rank(run: dict) -> tuple[bool, int]:
    """A full run is not replaced by a short one."""
    return run["size"] == "full", run["ended_at"]


def _found(variable: str, folder: str) -> list[dict]:
    place = Path(os.environ.get(variable, ROOT / "var" / folder))
    return [json.loads(path.read_text()) for path in sorted(place.glob("*.json"))]


def page(kept: dict[str, dict[str, dict]]) -> str:
    """Return the page in Markdown."""
    runs, mutants = kept["rows"], kept["mutants"]
    lines = [
        "# The guarantee under faults",
        "Written by `make chaos` and `make chaos-mutants` from docs/guarantee.json; do not edit.",
        "docs/faults.md says what the words mean and how to run it.",
        "",
        f"{sum(run['holds'] for run in runs.values())} of {len(runs)} scenarios hold;"
        f" {sum(trial['noticed'] for trial in mutants.values())} of {len(mutants)} mutants are noticed.",
        "",
        *_overview(runs),
        *_mutants(mutants),
    ]
    for name, run in runs.items():
        lines += _row(name, run)
    return "\n".join(lines) + "\n"


def _overview(runs: dict[str, dict]) -> list[str]:
    columns = " | ".join(column.replace("_", " ") for column in _COLUMNS)
    lines = [
        f"| | fault | size | events | {columns} | seconds | holds |",
        f"| --- | --- | --- | ---: | {' | '.join(['---:'] * len(_COLUMNS))} | ---: | --- |",
    ]
    for name, run in runs.items():
        figures = " | ".join(_number(run["ledger"].get(column)) for column in _COLUMNS)
        lines.append(
            f"| {name} | {run['fault']} | {run['size']} | {run['events']:,} | {figures} |"
            f" {run['duration_s']:g} | {'yes' if run['holds'] else '**no**'} |"
        )
    return lines


def _mutants(mutants: dict[str, dict]) -> list[str]:
    """Return the table of what was broken on purpose, and what noticed it."""
    lines = ["", "## Mutants", "The product broken on purpose, and which row or test noticed it.", ""]
    lines += ["| | broken | file | noticed by rows | by tests | not by | |", "| --- " * 7 + "|"]
    for name, trial in mutants.items():
        rows = ", ".join(f"{row} ({figures[0]})" for row, figures in trial["rows"].items() if figures)
        tests = ", ".join(f"`{test.rpartition('/')[2]}`" for test in trial["tests"].values() if test)
        blind = [row for row, figures in trial["rows"].items() if not figures]
        blind += [f"`{tests}`" for tests, test in trial["tests"].items() if not test]
        lines.append(
            f"| {name} | {trial['breaks']} | `{trial['file']}` | {rows} | {tests} | {', '.join(blind)} |"
            f" {'noticed' if trial['noticed'] else '**not noticed**'} |"
        )
    return lines


def _row(name: str, run: dict) -> list[str]:
    ended = datetime.fromtimestamp(run["ended_at"], UTC)
    return [
        "",
        f"## {name}",
        f"{run['fault']}. Seed {run['seed']}, {ended:%Y-%m-%d %H:%M} UTC.",
        "",
        "| figure | value | must be | |",
        "| --- | ---: | --- | --- |",
        *(
            f"| {figure['name']} | {figure['value']} | {figure['limit']} |"
            f" {'' if figure['holds'] else '**no**'} |"
            for figure in run["figures"]
        ),
    ]


def _number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def main() -> None:
    DATA.write_text(json.dumps(newest(), indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    PAGE.write_text(page(json.loads(DATA.read_text())))


if __name__ == "__main__":
    main()
