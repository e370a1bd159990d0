"""`python -m tests.faults.mutants [m07 …]`: breaks the guarantee on purpose, one mutant at a time.

Each is made in a copy of the tree, and the tests and short rows that its entry names are run there. Exit
code 0 if every one of those rows noticed, and at least one row or test noticed each mutant.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from config.env import ROOT
from tests.faults.mutations import MUTANTS, Mutant

_KEPT = Path(os.environ.get("TOCSIN_MUTANT_RESULTS", ROOT / "var" / "chaos-mutants"))
_TEST_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)
_SHARED = (".venv", "clients/js/node_modules")  # too large to copy
_WITHIN_S = 900


@dataclass(slots=True)
class Trial:
    """What noticed one mutant: of each row its figures that do not hold, of each test file its first test."""

    name: str
    breaks: str
    file: str
    rows: dict[str, list[str]] = field(default_factory=dict)
    tests: dict[str, str] = field(default_factory=dict)
    ended_at: int = 0

    @property
    def noticed(self) -> bool:
        """Whether each of its rows noticed, or a test if it has none."""
        return all(self.rows.values()) if self.rows else any(self.tests.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="MUTANT", help=f"of {', '.join(MUTANTS)}")
    parser.add_argument("--control", action="store_true", help="nothing is broken: all of it must pass")
    options = parser.parse_args()
    if options.control:
        return 0 if control([MUTANTS[name] for name in options.names or MUTANTS]) else 1
    noticed = True
    for name in options.names or MUTANTS:
        trial = attempt(MUTANTS[name])
        keep(trial)
        print(line(trial), flush=True)
        noticed &= trial.noticed
    return 0 if noticed else 1


def attempt(mutant: Mutant) -> Trial:
    """Make the mutant in a copy of the tree, and try its tests and rows there."""
    trial = Trial(mutant.name, mutant.breaks, mutant.file)
    with tree_copied() as tree:
        mutant.apply(tree)
        for tests in mutant.tests:
            trial.tests[tests] = failing_test(tree, tests)
        for row in mutant.rows:
            trial.rows[row] = failing_figures(tree, row)
    trial.ended_at = int(time.time())
    return trial


def control(mutants: list[Mutant]) -> bool:
    """Run everything that the mutants name, with nothing broken. Return whether it all passed."""
    passed = True
    with tree_copied() as tree:
        for tests in sorted({tests for mutant in mutants for tests in mutant.tests}):
            failed = failing_test(tree, tests)
            print(f"control  {tests}: {failed or 'passes'}", flush=True)
            passed &= not failed
        for row in sorted({row for mutant in mutants for row in mutant.rows}):
            figures = failing_figures(tree, row)
            print(f"control  {row}: {'; '.join(figures) or 'holds'}", flush=True)
            passed &= not figures
    return passed


@contextmanager
def tree_copied() -> Iterator[Path]:
    """Copy the files that git knows or would add, and share what is large."""
    home = Path(tempfile.mkdtemp(prefix="tocsin-mutant-"))
    home.chmod(0o755)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    try:
        for name in filter(None, listed.stdout.decode().split("\0")):
            source, target = ROOT / name, home / name
            if source.is_file() and not source.is_symlink():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        for name in _SHARED:
            if (ROOT / name).exists():
                (home / name).symlink_to((ROOT / name).resolve())
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def failing_test(tree: Path, tests: str) -> str:
    """Return the first test that fails, or ""."""
    done = _run(tree, "pytest", "-q", "-x", *tests.split())
    if done.returncode == 0:
        return ""
    found = _TEST_FAILED.search(done.stdout)
    if found is None:
        raise RuntimeError(f"{tests} did not run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return found[1]


def failing_figures(tree: Path, row: str) -> list[str]:
    """Return what does not hold in a row, at its short size."""
    kept = tree / "var" / "chaos"
    done = _run(tree, "tests.faults.run", row, "--size", "short", TOCSIN_CHAOS_RESULTS=str(kept))
    path = kept / f"{row}-short.json"
    if not path.exists():
        raise RuntimeError(f"{row} did not run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    result = json.loads(path.read_text())
    counted = [f"{name} {result['ledger'][name]}" for name in result["examples"]]
    return counted + [
        f"{figure['name']}: {figure['value']}" for figure in result["figures"] if not figure["holds"]
    ]


def _run(tree: Path, module: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=tree,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=_WITHIN_S,
        check=False,
    )


def keep(trial: Trial) -> None:
    """Write the trial's JSON where the report finds it."""
    _KEPT.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(trial) | {"noticed": trial.noticed}, indent=1, ensure_ascii=False)
    (_KEPT / f"{trial.name}.json").write_text(text + "\n")


def line(trial: Trial) -> str:
    """Return what noticed a mutant, for people."""
    rows = [f"{row} ({'; '.join(figures) or 'NOT NOTICED'})" for row, figures in trial.rows.items()]
    tests = [test or f"{tests} did not notice" for tests, test in trial.tests.items()]
    verdict = "noticed" if trial.noticed else "NOT NOTICED"
    return "\n    ".join([f"{trial.name}  {trial.breaks}: {verdict}", *rows, *tests])


if __name__ == "__main__":
    sys.exit(main())
