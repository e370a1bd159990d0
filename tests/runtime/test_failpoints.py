"""Crash points are named in one place, stand in the code once, and cost nothing unless armed."""

import os
import re
import subprocess
import sys
from collections import Counter

import pytest

from config.env import ROOT
from runtime import failpoints

_PASSAGE = re.compile(r'\bfailpoint\("(\w+)"\)')


def passages() -> "Counter[str]":
    files = [*(ROOT / "notifications").rglob("*.py"), *(ROOT / "gateway").rglob("*.py")]
    return Counter(name for file in files for name in _PASSAGE.findall(file.read_text()))


def test_every_point_stands_in_the_code_and_every_passage_is_listed():
    assert len(failpoints.POINTS) >= 12
    assert passages().keys() == failpoints.POINTS.keys()


def test_every_point_is_documented():
    page = (ROOT / "docs" / "faults.md").read_text()
    assert [name for name in failpoints.POINTS if f"`{name}`" not in page] == []


def test_nothing_is_armed_without_the_variable():
    assert failpoints.failpoint is failpoints._nothing


def pass_three_times(orders: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    code = (
        "from runtime.failpoints import failpoint\n"
        "for n in range(3):\n    failpoint('sweep_postponed'); print(n)"
    )
    return subprocess.run(
        [sys.executable, "-u", "-c", code],
        cwd=ROOT,
        env=os.environ | {"TOCSIN_CRASH": orders} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_process_ends_with_137_at_the_passage_that_was_asked_for(tmp_path):
    log = tmp_path / "crashes.log"
    done = pass_three_times("claimed_before_send:1,sweep_postponed:2", TOCSIN_CRASH_LOG=str(log))
    assert (done.returncode, done.stdout.split()) == (137, ["0"])
    assert log.read_text().split()[:2] == ["sweep_postponed", "exit"]


def test_after_the_given_number_of_crashes_a_point_lets_pass(tmp_path):
    log = tmp_path / "crashes.log"
    given = {"TOCSIN_CRASH_LOG": str(log), "TOCSIN_CRASH_AT_MOST": "2"}
    codes = [pass_three_times("sweep_postponed", **given).returncode for _ in range(3)]
    assert codes == [137, 137, 0]


def test_a_probability_strikes_the_same_passages_for_the_same_seed():
    runs = [pass_three_times("sweep_postponed:0.4", TOCSIN_CRASH_SEED="3").stdout for _ in range(2)]
    assert runs[0] == runs[1]


def test_an_unknown_point_stops_the_start():
    done = pass_three_times("no_such_point")
    assert done.returncode == 1
    assert "no_such_point" in done.stderr


@pytest.mark.parametrize("name", sorted(failpoints.POINTS))
def test_a_point_says_what_it_stands_for(name):
    assert len(failpoints.POINTS[name]) > 20
