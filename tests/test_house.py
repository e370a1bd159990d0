"""The measures of the house: how much stands in one room, in one function, and in which words."""

import ast
import re
import subprocess
import tomllib
from statistics import median

import pytest

from config.env import ROOT

PRODUCT = ("config", "gateway", "notifications", "users", "runtime", "sandbox")
MODULES_PER_PACKAGE = 22
LAYERS_PER_PACKAGE = 12
LINES_PER_FUNCTION = 40

# Words of an older vocabulary, with what stands in their place today (docs/glossary.md).
OLD_WORDS = {
    "Aftermath": "Effects",
    "knobs": "settings",
    "crash_points": "failpoints",
    "anew": "again",
    "whoever": "say who",
    "finish_ringing": "flush",
    "used_up": "retries_exhausted",
    "hopeless": "pointless",
    "Malformed": "InvalidEvent",
    "ailments": "problems",
    "vitals": "snapshot",
    "one_turn": "coalesced_writes",
    "_lose_patience": "_start_slow_timer",
}


def product_modules():
    for package in PRODUCT:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


def functions():
    for path in product_modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(ROOT)}:{node.name}", node.end_lineno - node.lineno + 1


def test_no_package_has_too_many_modules() -> None:
    counts: dict[str, int] = {}
    for path in product_modules():
        if path.name != "__init__.py":
            counts[str(path.parent.relative_to(ROOT))] = counts.get(str(path.parent.relative_to(ROOT)), 0) + 1
    assert len(counts) > 20
    assert {name: count for name, count in counts.items() if count > MODULES_PER_PACKAGE} == {}


def test_no_package_is_a_ladder_of_layers() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = {one["name"]: len(one["layers"]) for one in contracts if one["type"] == "layers"}
    assert len(layers) > 5
    assert {name: count for name, count in layers.items() if count > LAYERS_PER_PACKAGE} == {}


def test_functions_are_short() -> None:
    lengths = dict(functions())
    assert len(lengths) > 1_000
    assert {name: lines for name, lines in lengths.items() if lines > LINES_PER_FUNCTION} == {}
    assert median(lengths.values()) <= 7


@pytest.mark.parametrize("word", OLD_WORDS)
def test_an_old_word_stands_nowhere(word: str) -> None:
    places = (
        ":!CHANGELOG.md",
        ":!docs/decisions",
        ":!docs/glossary.md",
        ":!tests/test_house.py",
        ":!*/migrations/*",
    )
    found = subprocess.run(
        ["git", "grep", "-nwI", word, "--", ".", *places], cwd=ROOT, capture_output=True, text=True
    ).stdout
    lines = [line for line in found.splitlines() if re.search(rf"\b{word}\b", line)]
    assert lines == [], f"say {OLD_WORDS[word]!r}"


def test_only_the_database_says_what_time_it_is() -> None:
    """Two hosts' clocks differ: whatever another process compares is a time of `runtime.postgres.clock`."""
    own = [path for room in ("gateway", "notifications") for path in (ROOT / room).rglob("*.py")]
    own = [path for path in own if not {"migrations", "models"} & set(path.parts)]
    wall = re.compile(r"timezone\.now|time\.time\(\)|datetime\.now\(")
    assert [str(path.relative_to(ROOT)) for path in own if wall.search(path.read_text())] == []


def test_every_set_of_requirements_has_what_the_product_needs() -> None:
    """`make lock` compiles all: what one set lacks is missed by the first who installs it."""
    pins = {
        name: set(
            re.findall(r"^\S+==[^ ]+", (ROOT / "requirements" / f"{name}.txt").read_text(), re.MULTILINE)
        )
        for name in ("base", "embedded", "dev")
    }
    assert len(pins["base"]) > 20
    assert pins["base"] - pins["embedded"] == set()
    assert pins["embedded"] - pins["dev"] == set()
