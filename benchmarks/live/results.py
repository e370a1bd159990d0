"""What a script found: printed with ratios, kept in docs/performance-live.json, shown in performance.md."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

_DOCS = Path(__file__).resolve().parents[2] / "docs"
DATA, PAGE = _DOCS / "performance-live.json", _DOCS / "performance.md"
_BEGIN, _END = "<!-- live: written by benchmarks/live, do not edit -->", "<!-- /live -->"
_SIDES = ("Tocsin", "Tocsin on uvicorn", "channels_redis", "nchan")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of one side. `better` says which way is good."""

    side: str
    value: float
    unit: str
    better: str = "more"


def scale(*, quick: T, full: T) -> T:
    """Return the size of this run: `SIZE=quick` for a look, full for figures that are kept."""
    return quick if os.environ.get("SIZE") == "quick" else full


def record(name: str, title: str, rows: list[Row], *, note: str = "") -> None:
    """Print the ratios; keep a full run for the page."""
    ours = next(row for row in rows if row.side == _SIDES[0])
    for row in rows:
        if row is not ours:
            times = ours.value / row.value if row.better == "more" else row.value / ours.value
            print(
                f"{title}: ours {ours.value:,.2f} {ours.unit}; {row.side}: {row.value:,.2f}; "
                f"ratio {times:.2f} (above 1 is better)",
                flush=True,
            )
    if scale(quick=False, full=True):
        kept = json.loads(DATA.read_text()) if DATA.exists() else {}
        kept[name] = {"title": title, "note": note, "rows": [asdict(row) for row in rows]}
        DATA.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n")
        _write_page(kept)


def _write_page(kept: dict[str, dict]) -> None:
    before, _, rest = PAGE.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    PAGE.write_text(f"{before}{_BEGIN}\n{table(kept)}\n{_END}{after}")


def table(kept: dict[str, dict]) -> str:
    """Return the table in Markdown: a line a figure, a column a side."""
    lines = [f"| live sessions | {' | '.join(_SIDES)} | |", "| --- |" + " ---: |" * len(_SIDES) + " --- |"]
    for run in kept.values():
        values = {row["side"]: f"{row['value']:,.{_digits(row['value'])}f}" for row in run["rows"]}
        unit = run["rows"][0]["unit"]
        cells = " | ".join(values.get(side, "") for side in _SIDES)
        lines.append(f"| {run['title']}, {unit} | {cells} | {run['note']} |")
    return "\n".join(lines)


def _digits(value: float) -> int:
    return 0 if value >= 100 else 1 if value >= 10 else 2
