"""`python -m tests.faults.report`: docs/guarantee.md from the runs that `make chaos` has kept.

The newest run of each scenario goes to docs/guarantee.json, and the page is made from that alone.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from config.env import ROOT

DATA, PAGE = ROOT / "docs" / "guarantee.json", ROOT / "docs" / "guarantee.md"
_COLUMNS = ("acknowledged", "received", "lost", "unexpected", "stuck", "duplicated", "unflagged", "recovered")


def newest() -> dict[str, dict]:
    """Return what is kept of every scenario; a full run is not replaced by a short one."""
    kept: dict[str, dict] = json.loads(DATA.read_text()) if DATA.exists() else {}
    folder = Path(os.environ.get("TOCSIN_CHAOS_RESULTS", ROOT / "var" / "chaos"))
    for path in sorted(folder.glob("*.json")):
        run = json.loads(path.read_text())
        known = kept.get(run["scenario"])
        if known is None or (run["size"] == "full", run["ended_at"]) >= (
            known["size"] == "full",
            known["ended_at"],
        ):
            kept[run["scenario"]] = run
    return dict(sorted(kept.items()))


def page(runs: dict[str, dict]) -> str:
    """Return the page in Markdown."""
    holding = sum(run["holds"] for run in runs.values())
    lines = [
        "# The guarantee under faults",
        "Written by `make chaos` from docs/guarantee.json; do not edit. docs/faults.md says what the words",
        "mean and how to run it.",
        "",
        f"{holding} of {len(runs)} scenarios hold. In every one of them lost, unexpected, stuck and unflagged"
        " must be 0.",
        "",
        f"| | fault | size | events | {' | '.join(_COLUMNS)} | seconds | holds |",
        f"| --- | --- | --- | ---: | {' | '.join(['---:'] * len(_COLUMNS))} | ---: | --- |",
    ]
    for name, run in runs.items():
        figures = " | ".join(f"{run['ledger'][column]:,}" for column in _COLUMNS)
        lines.append(
            f"| {name} | {run['fault']} | {run['size']} | {run['events']:,} | {figures} |"
            f" {run['duration_s']:g} | {'yes' if run['holds'] else '**no**'} |"
        )
    for name, run in runs.items():
        ended = datetime.fromtimestamp(run["ended_at"], UTC)
        lines += ["", f"## {name}", f"{run['fault']}. Seed {run['seed']}, {ended:%Y-%m-%d %H:%M} UTC.", ""]
        lines += ["| figure | value | must be | |", "| --- | ---: | --- | --- |"]
        lines += [
            f"| {figure['name']} | {figure['value']} | {figure['limit']} |"
            f" {'' if figure['holds'] else '**no**'} |"
            for figure in run["figures"]
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    runs = newest()
    DATA.write_text(json.dumps(runs, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    PAGE.write_text(page(runs))


if __name__ == "__main__":
    main()
